"""Turn what somebody asks for into conditions on the table of requests."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_

from services.request_desk.ledger.records import RequestFilter, RequestRecord
from services.request_desk.ledger.tables import REQUESTS
from shared.errors import RestoreError


class BadCursorError(RestoreError):
    """A cursor is none that a list of requests gave."""

    code = "bad_cursor"


def conditions(wanted: RequestFilter) -> list[ColumnElement[bool]]:
    """List what the rows of the wanted requests fulfil; being stuck is no matter of a row alone."""
    columns = REQUESTS.c
    equal = {columns.project: wanted.project, columns.mous: wanted.mous, columns.ticket: wanted.ticket}
    found: list[ColumnElement[bool]] = [column == value for column, value in equal.items() if value is not None]
    found += _of_owner(wanted)
    if wanted.states:
        found.append(columns.state.in_(sorted(wanted.states)))
    if wanted.steps:
        found.append(columns.step.in_(sorted(wanted.steps)))
    if wanted.text:
        found.append(columns.words.contains(wanted.text.lower(), autoescape=True))
    if wanted.active is not None:
        found.append(columns.active == wanted.active)
    if wanted.with_illegal_moves is not None:
        found.append((columns.illegal_moves > 0) == wanted.with_illegal_moves)
    if wanted.submitted_since is not None:
        found.append(columns.submitted >= wanted.submitted_since)
    if wanted.submitted_before is not None:
        found.append(columns.submitted < wanted.submitted_before)
    return found


def _of_owner(wanted: RequestFilter) -> list[ColumnElement[bool]]:
    """Find a user's requests by either name: some are submitted with an address alone."""
    account = None if wanted.owner_account is None else REQUESTS.c.owner_account == wanted.owner_account
    email = None if wanted.owner_email is None else REQUESTS.c.owner_email == wanted.owner_email.lower()
    either = [condition for condition in (account, email) if condition is not None]
    return [or_(*either)] if either else []


def cursor_of(record: RequestRecord) -> str:
    """Name the place after a request in a list."""
    assert record.submitted is not None, "every request that is listed has a first event"
    return f"{record.submitted.isoformat()}_{record.id}"


def before(cursor: str) -> ColumnElement[bool]:
    """Tell what the rows after a place in a list fulfil.

    Raises
    ------
    BadCursorError
        If no list gave the cursor.
    """
    submitted, _, name = cursor.partition("_")
    try:
        when, request_id = datetime.fromisoformat(submitted), UUID(name)
    except ValueError as error:
        raise BadCursorError(f"the cursor {cursor!r} is none of a list of requests: begin without one") from error
    older = REQUESTS.c.submitted < when
    return or_(older, and_(REQUESTS.c.submitted == when, REQUESTS.c.id < request_id))

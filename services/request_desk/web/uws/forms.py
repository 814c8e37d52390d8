"""Read what UWS clients send: parameters whose names have no case, in a form or in the address."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

from pydantic import ValidationError

from contracts.identifiers import InvalidIdentifierError, MousUid
from contracts.messages.parts import RestoreRequest
from services.request_desk.web.acting import OtherUser, Submission
from services.request_desk.web.faults import UnusableError
from services.request_desk.web.uws.jobs import Phase, Wanted

LONGEST_WAIT = 60.0
"""Seconds that one call may wait; a client that wants more asks again."""

KNOWN = frozenset(
    {
        *("PHASE", "RUNID", "PROJECT", "MOUS", "TICKET", "FIELD", "SPW", "CHANBIN", "TIMEBIN", "SCIENCE_ONLY"),
        *("CONTACT", "CC", "FORCE", "USER_NAME", "USER_EMAIL", "USER_ACCOUNT"),
    }
)
Form = Mapping[str, Sequence[str]]


def form_of(pairs: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    """Gather values by name, in capitals."""
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name.upper(), []).append(value)
    return found


def one(form: Form, name: str) -> str | None:
    """Return a value that may be given once.

    Raises
    ------
    UnusableError
        If it is given several times.
    """
    values = [value.strip() for value in form.get(name, ()) if value.strip()]
    if len(values) > 1:
        raise UnusableError(f"{name} is given {len(values)} times, and can be given once", reason="repeated")
    return values[0] if values else None


def submission_of(form: Form, *, before: Mapping[str, Sequence[str]] | None = None) -> tuple[Submission, MousUid]:
    """Read what a job asks for.

    Parameters
    ----------
    form
        What was sent.
    before
        What was known of the job already; what is sent anew replaces it.

    Raises
    ------
    UnusableError
        If a parameter is unknown, missing or wrong; all faults of the values are named at once.
    """
    if unknown := sorted(set(form) - KNOWN):
        raise UnusableError(f"unknown: {', '.join(unknown)[:200]}; known: {', '.join(sorted(KNOWN))}", reason="unknown")
    form = {**(before or {}), **form}
    try:
        mous = MousUid(one(form, "MOUS") or "")
        return Submission.model_validate(_values(form, mous)), mous
    except InvalidIdentifierError as error:
        raise UnusableError(f"MOUS: {error}; each MOUS is a job of its own", reason="mous") from error
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise UnusableError(told, reason="parameters") from error


def wanted_of(form: Form) -> Wanted:
    """Read which jobs a list is to have.

    Raises
    ------
    UnusableError
        If a value is none of those that UWS has.
    """
    try:
        phases = frozenset(Phase(phase.upper()) for phase in form.get("PHASE", ()) if phase.upper() not in _NEVER)
        if form.get("PHASE") and not phases:
            return Wanted(last=0)
        after = one(form, "AFTER")
        last = one(form, "LAST")
        found = Wanted(phases=phases, after=time_of(after) if after else None, last=None if last is None else int(last))
    except ValueError as error:
        raise UnusableError(f"PHASE, AFTER or LAST: {error}", reason="filter") from error
    if found.last is not None and found.last < 1:
        raise UnusableError("LAST: give a number of 1 or more", reason="filter")
    return found


_NEVER = frozenset({"HELD", "UNKNOWN"})
"""Phases of UWS in which no job is here."""


def wait_of(form: Form) -> float | None:
    """Read for how many seconds to wait for another phase; None if not at all, -1 for as long as may be.

    Raises
    ------
    UnusableError
        If it is no number.
    """
    text = one(form, "WAIT")
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError as error:
        raise UnusableError("WAIT: give a number of seconds", reason="wait") from error
    if math.isnan(seconds):
        raise UnusableError("WAIT: give a number of seconds", reason="wait")
    return LONGEST_WAIT if seconds < 0 else min(seconds, LONGEST_WAIT)


def time_of(text: str) -> datetime:
    """Read an ISO 8601 time; without a zone it is UTC, as everything in UWS is."""
    found = datetime.fromisoformat(text)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def request_of(asked: Submission, mous: MousUid, user: OtherUser, *, job_id: UUID) -> RestoreRequest:
    """Make the request of a job."""
    return RestoreRequest(
        request_id=job_id,
        project_code=asked.project_code,
        mous_uid=mous,
        user_name=user.name,
        user_email=user.email,
        user_account=user.account,
        ticket=asked.ticket or f"desk-{job_id.hex[:8]}",
        selection=asked.selection,
        contact_email=asked.contact_email,
        cc=asked.cc,
        force=asked.force,
    )


def _values(form: Form, mous: MousUid) -> dict[str, object]:
    selection = {
        "calibrator_fields": _many(form, "FIELD"),
        "spw": _many(form, "SPW") or None,
        "chanbin": one(form, "CHANBIN"),
        "timebin": one(form, "TIMEBIN"),
        "science_only": one(form, "SCIENCE_ONLY"),
    }
    user = {"name": one(form, "USER_NAME"), "email": one(form, "USER_EMAIL"), "account": one(form, "USER_ACCOUNT")}
    return {
        "project_code": one(form, "PROJECT") or "",
        "mous_uids": (mous,),
        "ticket": one(form, "TICKET") or one(form, "RUNID"),
        "selection": selection,
        "contact_email": one(form, "CONTACT"),
        "cc": _many(form, "CC"),
        "force": one(form, "FORCE") or False,
        "user": user if any(user.values()) else None,
    }


def _many(form: Form, name: str) -> list[str]:
    return [part.strip() for value in form.get(name, ()) for part in value.split(",") if part.strip()]

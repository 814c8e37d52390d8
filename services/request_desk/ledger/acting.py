"""What people do about requests: cancel them, and send on again what nothing followed.

Nothing happens silently: who did it and why is an event, so it stands in the ledger.
"""

from collections.abc import Callable, Sequence
from uuid import UUID, uuid4

import structlog

from contracts.envelope import Event
from contracts.identifiers import MousUid
from contracts.messages import RequestCancelled, RequestResent
from services.request_desk.ledger.base import Ledger
from services.request_desk.ledger.records import Page, RequestFilter, RequestRecord
from shared import cancellation
from shared.errors import RestoreError
from shared.objects import ObjectStore
from shared.service import source_of

log = structlog.get_logger(__name__)
Publish = Callable[[Sequence[Event]], None]
SOURCE = source_of("request-desk")
_PAGE = 200


class UnknownRequestError(RestoreError):
    """The ledger knows no such request."""

    code = "unknown_request"


class RequestOverError(RestoreError):
    """The request has ended already, or nothing of it can be sent on again."""

    code = "request_over"


def cancel_request(
    request_id: UUID, *, by: str, reason: str = "", ledger: Ledger, objects: ObjectStore, publish: Publish
) -> Event:
    """Cancel a request: mark it in the store, then say so. Whoever works for it stops within seconds.

    Parameters
    ----------
    request_id
        The request.
    by
        Who cancels: an account, or the name of a program.
    reason
        Why.
    ledger, objects, publish
        What is known, where the mark is put, and where it is said.

    Returns
    -------
    Event
        What was said.

    Raises
    ------
    UnknownRequestError, RequestOverError
        If there is nothing to cancel.
    DependencyAwayError
        If ledger, store or bus do not answer; cancel again.
    """
    record = _known(ledger, request_id)
    if record.mous is None:
        raise UnknownRequestError(f"of request {request_id} it is not known yet what it asks for; cancel it again")
    if not record.is_active:
        raise RequestOverError(f"request {request_id} is {record.state.value}: there is nothing to cancel")
    message = RequestCancelled(request_id=request_id, mous_uid=MousUid(record.mous), by=by, reason=reason)
    event = _about(record, message, ledger)
    cancellation.cancel(objects, message)
    publish([event])
    log.info("request_cancelled", request_id=str(request_id), by=by, reason=reason)
    return event


def try_now(request_id: UUID, *, by: str, reason: str, ledger: Ledger, publish: Publish) -> tuple[UUID, ...]:
    """Send the events of a request that nothing followed on again, with the ids that they have.

    Whoever handles one finds what was done before and goes on from there.

    Parameters
    ----------
    request_id
        The request.
    by
        Who does it: an account, or the name of a program.
    reason
        Why.
    ledger, publish
        What is known, and where the events are said.

    Returns
    -------
    tuple of UUID
        Ids of the events.

    Raises
    ------
    UnknownRequestError, RequestOverError
        If there is nothing to send on.
    DependencyAwayError
        If ledger or bus do not answer; try again.
    """
    record = _known(ledger, request_id)
    found = [event for each in ledger.unfinished(request_id) if (event := ledger.event(each)) is not None]
    if not found:
        raise RequestOverError(f"request {request_id} is {record.state.value}: nothing of it is waiting to be done")
    ids = tuple(event.id for event in found)
    mous_uid = None if record.mous is None else MousUid(record.mous)
    resent = RequestResent(request_id=request_id, mous_uid=mous_uid, by=by, reason=reason, events=ids)
    publish([_about(record, resent, ledger), *found])
    log.warning("request_sent_on_again", request_id=str(request_id), by=by, reason=reason, events=list(map(str, ids)))
    return ids


def take_up_again(*, ledger: Ledger, publish: Publish, by: str = "embedded start") -> int:
    """Send on again what is unfinished of every request, after a stop in which the bus forgot it; count them."""
    number = 0
    page = Page(size=_PAGE)
    while True:
        listed = ledger.requests(RequestFilter(), page)
        for record in listed.requests:
            if record.step is None or not ledger.unfinished(record.id):
                continue
            try_now(record.id, by=by, reason="taken up again at the start", ledger=ledger, publish=publish)
            number += 1
        if listed.next_cursor is None:
            return number
        page = Page(size=_PAGE, cursor=listed.next_cursor)


def _known(ledger: Ledger, request_id: UUID) -> RequestRecord:
    record = ledger.request(request_id)
    if record is None:
        raise UnknownRequestError(f"the ledger knows no request {request_id}")
    return record


def _about(record: RequestRecord, message: RequestCancelled | RequestResent, ledger: Ledger) -> Event:
    """Make an event of what a person did: caused by nobody, in the trace of the request."""
    first = next(iter(ledger.timeline(record.id)), None)
    cause = None if first is None else ledger.event(first.id)
    if cause is None:
        return Event.first(message, source=SOURCE)
    event = cause.derive(message, source=SOURCE, key=str(uuid4()))
    return event.model_copy(update={"causationid": None})

"""Read what somebody may see of requests; what one may not see is as if it were not there."""

from uuid import UUID

import structlog

from services.request_desk.ledger.records import RequestFilter, RequestRecord
from services.request_desk.web.faults import NotThereError
from services.request_desk.web.identity import Identity
from services.request_desk.web.parts import Parts

log = structlog.get_logger()


async def request_for(identity: Identity, request_id: UUID, parts: Parts) -> RequestRecord:
    """Return a request if it is the caller's own, or the caller sees all.

    Raises
    ------
    NotThereError
        If it is not: also for another one's, so that nobody learns that it is there.
    """
    record = await parts.workers.do(parts.ledger.request, request_id)
    if record is None:
        raise NotThereError("there is no such request", reason="unknown_request")
    check_visible(identity, record)
    return record


def check_visible(identity: Identity, record: RequestRecord) -> None:
    """Refuse a request that is another one's as if it were not there.

    Raises
    ------
    NotThereError
        If it is another one's.
    """
    if not is_visible(identity, record):
        log.warning("foreign_request_refused", request_id=str(record.id), owner=record.owner_account)
        raise NotThereError("there is no such request", reason="foreign_request")


def is_visible(identity: Identity, record: RequestRecord) -> bool:
    """Whether somebody may see a request."""
    return identity.sees_all or record.belongs_to(account=identity.account, email=identity.email)


def only_own(identity: Identity, wanted: RequestFilter) -> RequestFilter:
    """Narrow a question to the caller's own requests, unless the caller sees all."""
    if identity.sees_all:
        return wanted
    return wanted.model_copy(update={"owner_account": identity.account, "owner_email": identity.email})

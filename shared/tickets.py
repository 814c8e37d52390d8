"""Make requests of a helpdesk ticket: one for each MOUS, up to ten."""

from uuid import uuid5

from contracts.messages.parts import RestoreRequest, RestoreTicket
from shared.errors import RestoreError

MOST_MOUS = 10
"""MOUS UIDs that a helpdesk ticket may name (procedure, version 2022-04-04)."""


class TooManyMousError(RestoreError):
    """A ticket names more MOUSs than it may; it is refused whole."""

    code = "too_many_mous"


def requests_of(ticket: RestoreTicket) -> tuple[RestoreRequest, ...]:
    """Make a request of each MOUS of a ticket; one that is named twice is one request.

    The ids of the requests are derived from the ticket's, so the same ticket makes the same requests.

    Raises
    ------
    TooManyMousError
        If it names more than ten different MOUSs.
    """
    mous_uids = tuple(dict.fromkeys(ticket.mous_uids))
    if len(mous_uids) > MOST_MOUS:
        raise TooManyMousError(
            f"it names {len(mous_uids)} different MOUS UIDs, and a ticket can have up to {MOST_MOUS}: "
            "ask in several tickets"
        )
    common = ticket.model_dump(exclude={"request_id", "mous_uids"})
    return tuple(
        RestoreRequest(**common, request_id=uuid5(ticket.request_id, mous_uid), mous_uid=mous_uid)
        for mous_uid in mous_uids
    )

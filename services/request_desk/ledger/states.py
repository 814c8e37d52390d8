"""States and steps of requests and execution blocks: closed sets, in the order of the way."""

from enum import StrEnum


class RequestState(StrEnum):
    """What has become of a request."""

    SUBMITTED = "submitted"
    ACCEPTED = "accepted"
    RESOLVED = "resolved"
    READY = "ready"
    RELEASED = "released"
    DELIVERED = "delivered"
    REMOVED = "removed"
    REFUSED = "refused"
    FAILED = "failed"
    WITHHELD = "withheld"
    CANCELLED = "cancelled"

    @property
    def is_over(self) -> bool:
        """Whether the request has ended, well or not."""
        return self in OVER

    @property
    def is_active(self) -> bool:
        """Whether something is still to happen for the request."""
        return self not in OVER


OVER = frozenset(
    {
        RequestState.DELIVERED,
        RequestState.REMOVED,
        RequestState.REFUSED,
        RequestState.FAILED,
        RequestState.WITHHELD,
        RequestState.CANCELLED,
    }
)
"""States in which a request has ended."""


class BlockState(StrEnum):
    """What has become of an execution block within a request."""

    EXPECTED = "expected"
    FETCHING = "fetching"
    STAGED = "staged"
    ORDERED = "ordered"
    RESTORING = "restoring"
    RESTORED = "restored"
    FAILED = "failed"

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens for the block."""
        return self in (BlockState.RESTORED, BlockState.FAILED)


class Step(StrEnum):
    """What is being done for a request or an execution block; each has a limit of its own."""

    ENTITLEMENT = "entitlement"
    STRUCTURE = "structure"
    FETCH = "fetch"
    PREPARE = "prepare"
    QUEUE = "queue"
    RESTORE = "restore"
    CONCLUDE = "conclude"
    RELEASE = "release"
    DELIVERY = "delivery"
    MAIL = "mail"


STEP_OF_BLOCK = {
    BlockState.EXPECTED: Step.FETCH,
    BlockState.FETCHING: Step.FETCH,
    BlockState.STAGED: Step.PREPARE,
    BlockState.ORDERED: Step.QUEUE,
    BlockState.RESTORING: Step.RESTORE,
}
"""What is being done for an execution block in each state in which something is."""

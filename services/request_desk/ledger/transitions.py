"""Which events move a request or an execution block from which state to which, and which contradict it.

Facts are applied in the order of the way, so an event that came early is evidence of all
before it: the state moves forward past what is still missing. Only what cannot both be
true is illegal.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from services.request_desk.ledger.states import BlockState, RequestState

S = TypeVar("S", RequestState, BlockState)


@dataclass(frozen=True, kw_only=True)
class Rule(Generic[S]):
    """What an event does in each state.

    Attributes
    ----------
    to
        Where it moves to.
    moves
        The states in which it moves.
    illegal
        The states that it contradicts; in all others it says nothing new.
    """

    to: S | None = None
    moves: frozenset[S] = frozenset()
    illegal: frozenset[S] = frozenset()

    def apply(self, state: S) -> S | None:
        """Return the state that follows; None if the event contradicts this one."""
        if state in self.illegal:
            return None
        return self.to if self.to is not None and state in self.moves else state


def _rule(to: S | None = None, moves: tuple[S, ...] = (), illegal: tuple[S, ...] = ()) -> Rule[S]:
    return Rule(to=to, moves=frozenset(moves), illegal=frozenset(illegal))


_R = RequestState
_TO_ACCEPTED = (_R.SUBMITTED,)
_TO_RESOLVED = (*_TO_ACCEPTED, _R.ACCEPTED)
_TO_READY = (*_TO_RESOLVED, _R.RESOLVED)
_TO_RELEASED = (*_TO_READY, _R.READY)
_UNDER_WAY = (*_TO_RELEASED, _R.RELEASED)
_SERVED = (_R.DELIVERED, _R.REMOVED)
_RESOLVED = _rule(_R.RESOLVED, _TO_RESOLVED, (_R.REFUSED,))
_OTHER_ENDS = (_R.REFUSED, _R.FAILED, _R.WITHHELD)
_DELIVERED = _rule(_R.DELIVERED, (*_UNDER_WAY, _R.CANCELLED), _OTHER_ENDS)
_SAYS_NOTHING: Rule[RequestState] = _rule()

REQUEST_RULES: Mapping[str, Rule[RequestState]] = {
    "ticket.submitted": _SAYS_NOTHING,
    "ticket.refused": _SAYS_NOTHING,
    "request.submitted": _SAYS_NOTHING,
    "request.accepted": _rule(_R.ACCEPTED, _TO_ACCEPTED),
    "structure.resolved": _RESOLVED,
    "fetch.progressed": _RESOLVED,
    "artefacts.staged": _RESOLVED,
    "restore.ordered": _RESOLVED,
    "restore.started": _RESOLVED,
    "restore.progressed": _RESOLVED,
    "restore.completed": _RESOLVED,
    "restore.failed": _RESOLVED,
    "products.ready": _rule(_R.READY, _TO_READY, (_R.REFUSED, _R.FAILED)),
    "release.granted": _rule(_R.RELEASED, _TO_RELEASED, (_R.REFUSED, _R.FAILED, _R.WITHHELD)),
    # What is delivered is delivered, even if somebody cancelled it a moment before.
    "delivery.announced": _DELIVERED,
    "request.refused": _rule(
        _R.REFUSED, _TO_RESOLVED, (_R.RESOLVED, _R.READY, _R.RELEASED, *_SERVED, _R.FAILED, _R.WITHHELD)
    ),
    "request.failed": _rule(_R.FAILED, _TO_READY, (_R.READY, _R.RELEASED, *_SERVED, _R.REFUSED, _R.WITHHELD)),
    "release.withheld": _rule(_R.WITHHELD, _TO_RELEASED, (_R.RELEASED, *_SERVED, _R.REFUSED, _R.FAILED)),
    "request.cancelled": _rule(_R.CANCELLED, _UNDER_WAY),
    "delivery.expiring": _DELIVERED,
    "delivery.renewed": _rule(_R.DELIVERED, (*_UNDER_WAY, _R.CANCELLED), (*_OTHER_ENDS, _R.REMOVED)),
    "delivery.expired": _rule(_R.REMOVED, (*_UNDER_WAY, _R.CANCELLED, _R.DELIVERED), _OTHER_ENDS),
    "mous.restorable": _SAYS_NOTHING,
    "request.resent": _SAYS_NOTHING,
    "mail.sent": _SAYS_NOTHING,
    "request.waiting": _SAYS_NOTHING,
}
"""What each topic does to a request."""


def request_rule(topic: str) -> Rule[RequestState]:
    """Return what a topic does to a request; of one that came later than this table, nothing is known."""
    return REQUEST_RULES.get(topic, _SAYS_NOTHING)


_B = BlockState
_TO_FETCHING = (_B.EXPECTED,)
_TO_STAGED = (*_TO_FETCHING, _B.FETCHING)
_TO_ORDERED = (*_TO_STAGED, _B.STAGED)
_TO_RESTORING = (*_TO_ORDERED, _B.ORDERED)
_TO_END = (*_TO_RESTORING, _B.RESTORING)

BLOCK_RULES: Mapping[str, Rule[BlockState]] = {
    "fetch.progressed": _rule(_B.FETCHING, _TO_FETCHING),
    "artefacts.staged": _rule(_B.STAGED, _TO_STAGED),
    "restore.ordered": _rule(_B.ORDERED, _TO_ORDERED),
    "restore.started": _rule(_B.RESTORING, _TO_RESTORING),
    "restore.progressed": _rule(_B.RESTORING, _TO_RESTORING),
    "restore.completed": _rule(_B.RESTORED, _TO_END, (_B.FAILED,)),
    "restore.failed": _rule(_B.FAILED, _TO_END, (_B.RESTORED,)),
}
"""What each topic that is about an execution block does to it."""

"""What a request is at, since when, how far, and until when: drawn from its facts and blocks."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from services.request_desk.ledger.facts import Fact
from services.request_desk.ledger.records import BlockRecord, StepTime
from services.request_desk.ledger.states import BlockState, RequestState, Step

_STEPS = {
    RequestState.SUBMITTED: Step.ENTITLEMENT,
    RequestState.ACCEPTED: Step.STRUCTURE,
    RequestState.READY: Step.RELEASE,
    RequestState.RELEASED: Step.DELIVERY,
}
_OWES_A_MAIL = (RequestState.REFUSED, RequestState.FAILED, RequestState.WITHHELD)
_ORDER = list(BlockState)
_BEFORE = {BlockState.EXPECTED: 0.0, BlockState.STAGED: 40.0, BlockState.ORDERED: 43.0}
_FETCH_SHARE, _RESTORE_FROM, _RESTORE_SHARE = 40.0, 45.0, 50.0
_OF_STATE = {
    RequestState.READY: 96.0,
    RequestState.RELEASED: 98.0,
    RequestState.DELIVERED: 100.0,
    RequestState.REMOVED: 100.0,
}
_BEGINS = {
    "request.submitted": Step.ENTITLEMENT,
    "request.accepted": Step.STRUCTURE,
    "products.ready": Step.RELEASE,
    "release.granted": Step.DELIVERY,
    "request.refused": Step.MAIL,
    "request.failed": Step.MAIL,
    "release.withheld": Step.MAIL,
}
_ENDS = ("structure.resolved", "delivery.announced", "request.cancelled", "mail.sent")
MOVES_THE_REQUEST = frozenset({*_BEGINS, *_ENDS})
"""Topics that take a request itself a step further; all others are about its blocks, or no step forward."""


def step_of(state: RequestState, blocks: Sequence[BlockRecord], *, mailed: bool) -> Step | None:
    """Tell what is being done; of several blocks the one that lags behind decides."""
    if state in _OWES_A_MAIL and not mailed:
        return Step.MAIL
    if state is not RequestState.RESOLVED:
        return _STEPS.get(state)
    behind = lagging(blocks)
    if behind is not None:
        return behind.step
    return Step.CONCLUDE if blocks else Step.FETCH


def lagging(blocks: Sequence[BlockRecord]) -> BlockRecord | None:
    """Find the block that is furthest from its end, if one is still on its way."""
    on_their_way = [block for block in blocks if not block.state.is_over]
    return min(on_their_way, key=lambda block: _ORDER.index(block.state), default=None)


def moved(applied: Sequence[Fact]) -> datetime | None:
    """Tell when the request itself last went forward: of a topic that is said again only the first word counts."""
    first: dict[str, datetime] = {}
    for fact in applied:
        if fact.topic in MOVES_THE_REQUEST:
            first[fact.topic] = min(fact.said, first.get(fact.topic, fact.said))
    return max(first.values(), default=None)


def times_of(applied: Sequence[Fact], blocks: Sequence[BlockRecord], step: Step | None) -> tuple[StepTime, ...]:
    """Tell when each step of the request itself began and ended."""
    return tuple(_times(applied, blocks, step))


def _times(applied: Sequence[Fact], blocks: Sequence[BlockRecord], now: Step | None) -> Iterator[StepTime]:
    step: Step | None = None
    began: datetime | None = None
    for fact in applied:
        following = _BEGINS.get(fact.topic)
        if following is None and fact.topic not in _ENDS:
            continue
        if step is not None and began is not None and following is not step:
            yield StepTime(step=step, began=began, ended=fact.said)
        if following is not step:
            step, began = following, fact.said
    if now is Step.CONCLUDE:
        step, began = now, max((block.moved for block in blocks if block.moved is not None), default=None)
    if step is not None and step is now and began is not None:
        yield StepTime(step=step, began=began)


def percent(state: RequestState, blocks: Sequence[BlockRecord]) -> float | None:
    """Tell roughly how far a request is on its way; None for one that ended without a delivery."""
    if state in _OF_STATE:
        return _OF_STATE[state]
    if state in _OWES_A_MAIL or state is RequestState.CANCELLED:
        return None
    shares = [_share(block) for block in blocks]
    return round(sum(shares) / len(shares), 1) if shares else 0.0


def _share(block: BlockRecord) -> float:
    if block.state.is_over:
        return _RESTORE_FROM + _RESTORE_SHARE
    if block.state is BlockState.FETCHING:
        return _FETCH_SHARE * (block.percent or 0.0) / 100
    if block.state is BlockState.RESTORING:
        return _RESTORE_FROM + _RESTORE_SHARE * (block.percent or 0.0) / 100
    return _BEFORE[block.state]


def expected_end(state: RequestState, blocks: Sequence[BlockRecord]) -> datetime | None:
    """Tell when the last block should be restored; None if one of them cannot be foretold yet."""
    if state is not RequestState.RESOLVED:
        return None
    on_their_way = [block for block in blocks if not block.state.is_over]
    ends = [block.expected_end for block in on_their_way if block.state is BlockState.RESTORING]
    known = [end for end in ends if end is not None]
    return max(known, default=None) if len(known) == len(on_their_way) else None

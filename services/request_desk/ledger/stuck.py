"""Which requests are stuck: nothing went forward for longer than the step may take; and what could be sent on again.

The clock of a step starts when something last went forward, which a retry, a second
attempt or a word of waiting is not.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from services.request_desk.ledger.block_records import BlockRecord
from services.request_desk.ledger.facts import Fact
from services.request_desk.ledger.order import by_cause
from services.request_desk.ledger.records import RequestRecord, StuckRequest
from services.request_desk.ledger.states import RequestState, Step

HOUR = 3600.0
LIMITS: Mapping[Step, float] = {
    Step.ENTITLEMENT: HOUR / 4,
    Step.STRUCTURE: HOUR / 2,
    Step.FETCH: 6 * HOUR,
    Step.PREPARE: HOUR / 2,
    Step.QUEUE: 24 * HOUR,
    Step.RESTORE: 12 * HOUR,
    Step.CONCLUDE: HOUR / 4,
    Step.RELEASE: HOUR / 2,
    Step.DELIVERY: HOUR,
    Step.MAIL: HOUR,
}
"""Seconds that each step may take without going forward, unless the settings say otherwise."""

_CAUSES: Mapping[Step, tuple[str, ...]] = {
    Step.ENTITLEMENT: ("request.submitted",),
    Step.STRUCTURE: ("request.accepted",),
    Step.FETCH: ("structure.resolved",),
    Step.PREPARE: ("artefacts.staged",),
    Step.QUEUE: ("restore.ordered",),
    Step.RESTORE: ("restore.ordered",),
    Step.CONCLUDE: ("restore.ordered", "structure.resolved"),
    Step.RELEASE: ("products.ready",),
    Step.DELIVERY: ("release.granted",),
    Step.MAIL: ("request.refused", "request.failed", "release.withheld"),
}
"""The topics whose handling makes each step: who handles one again finds what was done before, and goes on."""


def still_since(record: RequestRecord) -> datetime | None:
    """Tell when something last went forward for what lags behind most; None if nothing is to go forward."""
    return min((since for _, _, since in _under_way(record)), default=None)


def find_stuck(record: RequestRecord, *, now: datetime, limits: Mapping[Step, float]) -> StuckRequest | None:
    """Tell whether a request is stuck, and where it is longest beyond the limit; what to send on again is not told."""
    late = [
        (now - since - timedelta(seconds=limits[step]), step, block, since)
        for step, block, since in _under_way(record)
        if (now - since).total_seconds() > limits[step]
    ]
    if not late:
        return None
    _, step, block, since = max(late, key=lambda each: each[0])
    return StuckRequest(
        request=record,
        step=step,
        eb_uid=None if block is None else block.eb_uid,
        since=since,
        limit=limits[step],
    )


def unfinished(record: RequestRecord, facts: Sequence[Fact]) -> tuple[UUID, ...]:
    """List the events that nothing followed yet, in the order of the way."""
    steps = {(step, None if block is None else block.eb_uid) for step, block, _ in _under_way(record)}
    wanted = [fact for fact in by_cause(facts) if any(_is_cause(fact, *each) for each in steps)]
    if record.step is Step.CONCLUDE:
        wanted = _enough_to_conclude(record, wanted)
    return tuple(dict.fromkeys(fact.id for fact in wanted))


def _enough_to_conclude(record: RequestRecord, causes: Sequence[Fact]) -> list[Fact]:
    """Choose as little as makes somebody look whether all blocks have ended: one block again, else the fetching."""
    ordered = [fact for fact in causes if fact.topic == "restore.ordered"]
    if {fact.eb_uid for fact in ordered} >= {block.eb_uid for block in record.blocks}:
        return ordered[-1:]
    return [fact for fact in causes if fact.topic != "restore.ordered"] or ordered[-1:]


def _is_cause(fact: Fact, step: Step, eb_uid: str | None) -> bool:
    return fact.topic in _CAUSES[step] and (fact.eb_uid is None or eb_uid is None or fact.eb_uid == eb_uid)


def _under_way(record: RequestRecord) -> Iterator[tuple[Step, BlockRecord | None, datetime]]:
    """List what is to go forward: step, block, and when it last did."""
    began = record.moved or record.submitted
    if record.step is None or began is None:
        return
    if record.state is not RequestState.RESOLVED:
        yield record.step, None, began
        return
    behind = [block for block in record.blocks if not block.state.is_over]
    for block in behind:
        if block.step is not None:
            yield block.step, block, block.moved or began
    if not behind:
        yield record.step, None, max((block.moved for block in record.blocks if block.moved), default=began)

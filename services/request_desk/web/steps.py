"""The way of a request step by step: what is done, what is being done, and where it ended."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from contracts.messages.parts import Stage
from services.request_desk.ledger.records import BlockRecord, RequestRecord, StepTime
from services.request_desk.ledger.states import BlockState, RequestState, Step


class Standing(StrEnum):
    """How it stands with a step."""

    DONE = "done"
    NOW = "now"
    AHEAD = "ahead"
    ENDED = "ended"
    """The request ended here, without a delivery."""
    LEFT_OUT = "left_out"
    """The request ended before."""


class StepView(BaseModel):
    """A step of the way."""

    model_config = ConfigDict(frozen=True)

    step: Step
    standing: Standing
    blocks_done: int | None = Field(default=None, description="Execution blocks that have it behind them")
    blocks: int | None = Field(default=None, description="Execution blocks in all; None where a step is of the whole")
    seconds: float | None = Field(default=None, description="From its beginning to its end, of all blocks together")


_OF_BLOCKS = (Step.FETCH, Step.PREPARE, Step.QUEUE, Step.RESTORE)
_WAY = (Step.ENTITLEMENT, Step.STRUCTURE, *_OF_BLOCKS, Step.RELEASE, Step.DELIVERY)
_BEHIND = {
    BlockState.EXPECTED: 0,
    BlockState.FETCHING: 0,
    BlockState.STAGED: 1,
    BlockState.ORDERED: 2,
    BlockState.RESTORING: 3,
    BlockState.RESTORED: 4,
}
"""How many steps of a block each state has behind it."""
_FAILED_AT = {Stage.FETCH: 0, Stage.PREPARE: 1, Stage.RESTORE: 3}
"""The same of a block that failed there: what failed in CASA had waited for it before."""
_RELEASED = (RequestState.RELEASED, RequestState.DELIVERED, RequestState.REMOVED)


def steps_of(record: RequestRecord) -> tuple[StepView, ...]:
    """Tell the way of a request.

    A request that ended without a delivery ended at its first step that was not done.
    """
    found, ended = list[StepView](), False
    for step in _WAY:
        done = _is_done(step, record)
        standing = Standing.DONE if done else _open(step, record, ended=ended)
        ended = ended or standing is Standing.ENDED
        found.append(_shown(step, standing, record))
    return tuple(found)


def _open(step: Step, record: RequestRecord, *, ended: bool) -> Standing:
    if record.state.is_over:
        return Standing.LEFT_OUT if ended else Standing.ENDED
    return Standing.NOW if _goes_on(step, record) else Standing.AHEAD


def _goes_on(step: Step, record: RequestRecord) -> bool:
    """Whether something is at a step: of several blocks each may be at another one."""
    if step in _OF_BLOCKS:
        return any(block.step is step for block in record.blocks)
    # Whether all blocks have ended is looked at before it is asked for the release.
    return record.step is step or (step is Step.RELEASE and record.step is Step.CONCLUDE)


def _is_done(step: Step, record: RequestRecord) -> bool:
    if step in _OF_BLOCKS:
        return bool(record.blocks) and _behind(step, record) == len(record.blocks)
    match step:
        case Step.ENTITLEMENT:
            return record.entitlement is not None or _is_done(Step.STRUCTURE, record)
        case Step.STRUCTURE:
            return bool(record.blocks)
        case Step.RELEASE:
            return record.state in _RELEASED
        case _:
            return record.delivery is not None


def _behind(step: Step, record: RequestRecord) -> int:
    return sum(_has_behind(block, step) for block in record.blocks)


def _has_behind(block: BlockRecord, step: Step) -> bool:
    """Whether a block has a step behind it; one that failed had those before the stage at which it did."""
    at = _FAILED_AT[block.failed_at or Stage.FETCH] if block.state is BlockState.FAILED else _BEHIND[block.state]
    return at > _OF_BLOCKS.index(step)


def _shown(step: Step, standing: Standing, record: RequestRecord) -> StepView:
    if step not in _OF_BLOCKS:
        times = [time for time in record.times if time.step is step]
        return StepView(step=step, standing=standing, seconds=_seconds(times) if standing is Standing.DONE else None)
    times = [time for block in record.blocks for time in block.times if time.step is step]
    return StepView(
        step=step,
        standing=standing,
        blocks_done=_behind(step, record) if record.blocks else None,
        blocks=len(record.blocks) or None,
        seconds=_seconds(times) if standing is Standing.DONE else None,
    )


def _seconds(times: list[StepTime]) -> float | None:
    ends = [time.ended for time in times if time.ended is not None]
    return (max(ends) - min(time.began for time in times)).total_seconds() if ends else None

"""Fold the facts about an execution block into what is known of it."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from contracts.messages.parts import BlockFailure, RestoredBlock
from services.request_desk.ledger.block_records import BlockRecord, StepTime, Waiting
from services.request_desk.ledger.facts import Fact
from services.request_desk.ledger.states import STEP_OF_BLOCK, BlockState, Step
from services.request_desk.ledger.transitions import BLOCK_RULES

Contradiction = tuple[Fact, str, str]
"""A fact that was not applied, the state that it does not fit, and why."""

_BEGINS = {
    "artefacts.staged": Step.PREPARE,
    "restore.ordered": Step.QUEUE,
    "restore.started": Step.RESTORE,
    "restore.progressed": Step.RESTORE,
    "restore.completed": None,
    "restore.failed": None,
}
"""The step that each topic begins; it ends the one before."""


def fold_block(
    eb_uid: str, facts: Sequence[Fact], *, session: str | None, began: datetime | None
) -> tuple[BlockRecord, list[Contradiction]]:
    """Tell what is known of a block.

    Parameters
    ----------
    eb_uid
        The execution block.
    facts
        All that are about it, in the order of the way.
    session
        Its session, if the structure is known.
    began
        When its way began: when the structure of the MOUS was known.
    """
    state, known, contradictions = BlockState.EXPECTED, dict[str, Any](), list[Contradiction]()
    applied: list[Fact] = []
    for fact in facts:
        rule = BLOCK_RULES.get(fact.topic)
        if rule is None:
            continue
        following = rule.apply(state)
        if following is None:
            contradictions.append((fact, state, f"{fact.topic} of a block that is {state.value} already"))
            continue
        state = following
        applied.append(fact)
        known |= _known(fact)
    known |= _progress(state, applied)
    record = BlockRecord(
        eb_uid=eb_uid,
        session=session,
        state=state,
        step=STEP_OF_BLOCK.get(state),
        attempts=max((fact.attempt for fact in applied), default=0),
        times=tuple(_times(applied, began)),
        moved=max(_moves(applied, began), default=None),
        waiting=None,
        **known,
    )
    return record.model_copy(update={"waiting": waiting_of(facts, since=record.moved, over=state.is_over)}), (
        contradictions
    )


def waiting_of(facts: Sequence[Fact], *, since: datetime | None, over: bool) -> Waiting | None:
    """Tell what is waited for, unless something went forward since it was said."""
    said = [fact for fact in facts if fact.topic == "request.waiting" and fact.next_attempt is not None]
    newest = max(said, key=lambda fact: (fact.said, fact.id), default=None)
    if over or newest is None or newest.next_attempt is None or (since is not None and newest.said < since):
        return None
    return Waiting(
        service=newest.service or newest.source,
        cause=newest.detail,
        attempt=newest.attempt,
        said=newest.said,
        next_attempt=newest.next_attempt,
    )


def _known(fact: Fact) -> dict[str, Any]:
    """Tell what a fact says about the block for good."""
    match fact.topic:
        case "artefacts.staged":
            return {"staged_before": fact.reused}
        case "restore.ordered":
            return {"casa": fact.casa, "pipeline": fact.pipeline}
        case "restore.started":
            return {"runner": fact.runner, "way": fact.way, "way_reason": fact.why}
        case "restore.completed" if fact.restored is not None:
            return _of_restored(fact.restored)
        case "restore.failed" if fact.failure is not None:
            return _of_failure(fact.failure)
        case _:
            return {}


def _of_restored(block: RestoredBlock) -> dict[str, Any]:
    return {
        "restored_before": block.reused,
        "file_name": block.file_name,
        "size": block.tar.size,
        "sha256": block.tar.sha256,
        "rows": block.rows,
        "fields": block.fields,
        "casa": block.casa_version,
        "pipeline": block.pipeline_version,
        "way": block.method,
        "way_reason": block.method_reason,
    }


def _of_failure(failure: BlockFailure) -> dict[str, Any]:
    return {
        "failed_at": failure.stage,
        "reason": failure.reason,
        "detail": failure.detail,
        "log": None if failure.log is None else failure.log.key,
        "working_directory": failure.working_directory,
    }


def _progress(state: BlockState, facts: Sequence[Fact]) -> dict[str, Any]:
    """Tell how far the block is: the newest word about what is being done now."""
    fetched = _newest("fetch.progressed", facts)
    restored = _newest("restore.progressed", facts)
    known: dict[str, Any] = {}
    if fetched is not None:
        known = fetched.model_dump(include={"files_done", "files_total", "bytes_done", "bytes_total", "rate"})
    if state is BlockState.FETCHING and fetched is not None:
        done, total = fetched.bytes_done or 0, fetched.bytes_total or 0
        known |= {"percent": 100 * done / total if total else None, "expected_end": fetched.expected_end}
    if state is BlockState.RESTORING and restored is not None:
        known |= restored.model_dump(include={"percent", "activity", "bytes_written", "expected_end"})
    return known


def _newest(topic: str, facts: Sequence[Fact]) -> Fact | None:
    return max((fact for fact in facts if fact.topic == topic), key=lambda fact: (fact.said, fact.id), default=None)


def _times(facts: Sequence[Fact], began: datetime | None) -> Iterator[StepTime]:
    """Tell when each step began and ended; a step whose beginning was not told is left out."""
    step: Step | None = Step.FETCH
    for fact in facts:
        following = _BEGINS.get(fact.topic, step)
        if following is step:
            began = began or fact.said
            continue
        if step is not None and began is not None:
            yield StepTime(step=step, began=began, ended=fact.said)
        step, began = following, fact.said
    if step is not None and began is not None:
        yield StepTime(step=step, began=began)


def _moves(facts: Sequence[Fact], began: datetime | None) -> Iterator[datetime]:
    """List when something went forward; a second attempt counts only where it gets further than the first."""
    if began is not None:
        yield began
    seen: set[str] = set()
    for fact in facts:
        if fact.topic in ("fetch.progressed", "restore.progressed"):
            continue
        if fact.topic not in seen:
            seen.add(fact.topic)
            yield fact.said
    for topic in ("fetch.progressed", "restore.progressed"):
        furthest = _furthest(topic, facts)
        if furthest is not None:
            yield furthest.said


def _furthest(topic: str, facts: Sequence[Fact]) -> Fact | None:
    return max(
        (fact for fact in facts if fact.topic == topic),
        key=lambda fact: (fact.reached, -fact.said.timestamp()),
        default=None,
    )

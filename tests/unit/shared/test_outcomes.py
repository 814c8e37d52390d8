"""Fan-in: whoever ends the last block concludes, whatever the order and however often."""

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.envelope import Event
from contracts.identifiers import ExecBlockUid
from contracts.messages import ProductsReady, RequestFailed, RestoreCompleted, RestoreFailed, StructureResolved
from contracts.messages.parts import BlockFailure, RestoredBlock
from shared.objects.directory import DirectoryStore
from shared.outcomes import Outcome, Outcomes
from tests.support.samples import BLOCK, FAILURE, REQUEST, STRUCTURE

BLOCKS = tuple(ExecBlockUid(f"uid://A002/X1/X{n}") for n in range(1, 5))
CAUSE = Event.first(StructureResolved(request=REQUEST, structure=STRUCTURE), source="/alma-restore/test")


def restored(eb_uid: ExecBlockUid) -> RestoredBlock:
    return BLOCK.model_copy(update={"eb_uid": eb_uid})


def failed(eb_uid: ExecBlockUid) -> BlockFailure:
    return FAILURE.model_copy(update={"eb_uid": eb_uid})


def recorder(root: Path) -> Outcomes:
    return Outcomes(objects=DirectoryStore(root=root), source="/alma-restore/test")


def test_products_are_ready_when_the_last_block_is_restored(tmp_path: Path) -> None:
    outcomes = recorder(tmp_path)
    said = [outcomes.record(CAUSE, REQUEST, BLOCKS, restored(block)) for block in BLOCKS]
    assert [[type(event.data) for event in events] for events in said[:-1]] == [[RestoreCompleted]] * 3
    completed, ready = said[-1]
    assert isinstance(completed.data, RestoreCompleted)
    assert isinstance(ready.data, ProductsReady)
    assert [block.eb_uid for block in ready.data.blocks] == list(BLOCKS)


def test_one_failed_block_fails_the_request_only_when_all_have_ended(tmp_path: Path) -> None:
    outcomes = recorder(tmp_path)
    first = outcomes.record(CAUSE, REQUEST, BLOCKS[:2], failed(BLOCKS[0]))
    assert [type(event.data) for event in first] == [RestoreFailed]
    _, conclusion = outcomes.record(CAUSE, REQUEST, BLOCKS[:2], restored(BLOCKS[1]))
    assert isinstance(conclusion.data, RequestFailed)
    assert [failure.eb_uid for failure in conclusion.data.failures] == [BLOCKS[0]]
    assert [block.eb_uid for block in conclusion.data.restored] == [BLOCKS[1]]


def test_the_first_outcome_of_a_block_stands(tmp_path: Path) -> None:
    outcomes = recorder(tmp_path)
    outcomes.record(CAUSE, REQUEST, BLOCKS, restored(BLOCKS[0]))
    again, *_ = outcomes.record(CAUSE, REQUEST, BLOCKS, failed(BLOCKS[0]))
    assert isinstance(again.data, RestoreCompleted)
    assert outcomes.find(REQUEST, BLOCKS[0]) == restored(BLOCKS[0])
    assert outcomes.find(REQUEST, BLOCKS[1]) is None


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_order_and_any_repetition_ends_in_one_conclusion(tmp_path: Path, data: st.DataObject) -> None:
    outcomes = recorder(tmp_path / data.draw(st.uuids()).hex)
    chosen: dict[ExecBlockUid, Outcome] = {
        block: failed(block) if data.draw(st.booleans()) else restored(block) for block in BLOCKS
    }
    repeats = data.draw(st.lists(st.sampled_from(BLOCKS), max_size=6))
    order = data.draw(st.permutations([*BLOCKS, *repeats]))
    conclusions = []
    for block in order:
        conclusions += outcomes.record(CAUSE, REQUEST, BLOCKS, chosen[block])[1:]
    assert conclusions, "somebody has to be last"
    assert len({event.id for event in conclusions}) == 1
    assert len({event.data.model_dump_json() for event in conclusions}) == 1

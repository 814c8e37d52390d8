"""What the ledger tells depends on the set of events alone, and is what they say."""

from collections.abc import Sequence
from datetime import timedelta
from random import Random
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.envelope import Event
from contracts.messages import ProductsReady, RequestCancelled, RequestFailed, RequestRefused, RestoreProgressed
from contracts.messages.parts import Entitlement, MailKind
from contracts.reasons import REASONS, ReasonCode
from services.request_desk.ledger.facts import Fact, fact_of, read_facts
from services.request_desk.ledger.folding import fold
from services.request_desk.ledger.order import condense
from services.request_desk.ledger.records import RequestRecord
from services.request_desk.ledger.states import BlockState, RequestState, Step
from tests.support.samples import BLOCK, MOUS, REQUEST
from tests.support.stories import BLOCKS, Story

ID = REQUEST.request_id
WAYS = (Story.removed, Story.not_restored, Story.refused, Story.ready)


def told(events: Sequence[Event]) -> RequestRecord:
    """Fold events as the ledger does: one at a time, keeping only what counts."""
    kept: dict[str, Fact] = {}
    for event in events:
        kept = condense([*kept.values(), fact_of(event)])
    return fold(ID, kept.values())


def story(way: int) -> Story:
    told_so_far = Story(blocks=BLOCKS[: 1 + way % 3])
    WAYS[way % len(WAYS)](told_so_far)
    return told_so_far


@settings(max_examples=150, deadline=None)
@given(way=st.integers(0, 11), seed=st.integers(0, 2**32), contradicted=st.booleans())
def test_any_interleaving_loss_with_redelivery_and_duplication_leads_to_the_same_ledger(
    way: int, seed: int, contradicted: bool
) -> None:
    told_in_order, chance = story(way), Random(seed)
    if contradicted:
        told_in_order.say(RequestRefused(request=told_in_order.request, reason=ReasonCode.NOT_ENTITLED), key="again")
        told_in_order.say(RequestCancelled(request_id=ID, mous_uid=MOUS, by="vrubin"), key="again")
    events = told_in_order.events
    lost = [event for event in events if chance.random() < 0.3]
    come = [event for event in events if event not in lost]
    come += [event for event in come if chance.random() < 0.3]
    chance.shuffle(come)
    said_again = [event.model_copy(update={"time": event.time + timedelta(seconds=9)}) for event in lost]
    late = [
        event for event in (*lost, *said_again) if not event.topic.endswith((".progressed", ".started", ".waiting"))
    ]
    chance.shuffle(late)
    assert told([*come, *lost, *late, *come]) == told(events)


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32), way=st.integers(0, 3))
def test_keeping_the_best_of_a_part_and_adding_the_rest_gives_the_best_of_all(seed: int, way: int) -> None:
    facts = [fact_of(event) for event in story(way).events]
    chance = Random(seed)
    # Who was interrupted says a thing again, with its id, at another time.
    facts += [f.model_copy(update={"said": f.said + timedelta(seconds=chance.randint(-99, 99))}) for f in facts]
    chance.shuffle(facts)
    cut = chance.randint(0, len(facts))
    assert condense([*condense(facts[:cut]).values(), *facts[cut:]]) == condense(facts)
    assert condense([*facts, *facts]) == condense(facts)


@pytest.mark.parametrize("way", range(4))
def test_a_fact_is_read_as_it_was_written(way: int) -> None:
    facts = tuple(fact_of(event) for event in story(way).events)
    assert read_facts([fact.dump() for fact in facts]) == facts


def test_a_delivered_request_tells_its_whole_way() -> None:
    whole = Story()
    whole.delivered()
    record = told(whole.events)
    assert (record.state, record.step, record.percent) == (RequestState.DELIVERED, None, 100.0)
    assert record.entitlement is Entitlement.PI
    assert (record.project, record.mous, record.ticket) == ("2017.1.00886.L", MOUS, "16140")
    assert record.submitted == whole.events[0].time
    assert record.answered == whole.events[1].time
    assert [mail.kind for mail in record.mails] == [MailKind.DELIVERED]
    assert record.delivery is not None
    assert record.delivery.size == 10
    assert record.ended == record.delivery.announced
    assert [each.step for each in record.times] == [Step.ENTITLEMENT, Step.STRUCTURE, Step.RELEASE, Step.DELIVERY]
    assert all(each.seconds for each in record.times)
    assert (record.illegal, record.missing_causes) == ((), ())


def test_a_restored_block_tells_its_steps_attempts_and_result() -> None:
    whole = Story()
    whole.ready()
    block = told(whole.events).blocks[1]
    assert (block.state, block.step, block.session, block.attempts) == (BlockState.RESTORED, None, "session_1", 2)
    assert (block.bytes_done, block.bytes_total, block.size, block.way) == (1000, 1000, 10, "reference")
    assert [each.step for each in block.times] == [Step.FETCH, Step.PREPARE, Step.QUEUE, Step.RESTORE]
    assert [each.seconds for each in block.times[1:]] == [60.0, 60.0, 300.0]


def test_the_block_that_lags_decides_about_the_step() -> None:
    under_way = Story()
    structure = under_way.resolved()
    order = under_way.ordered(under_way.fetched(structure, BLOCKS[0]), BLOCKS[0])
    under_way.started(order, BLOCKS[0])
    under_way.progressed(order, BLOCKS[0], 50.0)
    record = told(under_way.events)
    assert (record.state, record.step) == (RequestState.RESOLVED, Step.FETCH)
    assert [block.state for block in record.blocks] == [BlockState.RESTORING, BlockState.EXPECTED]
    assert (record.blocks[0].percent, record.blocks[0].activity) == (50.0, "applycal")
    assert record.blocks[0].bytes_written == 2000
    assert record.percent == 35.0


def test_a_request_is_foretold_once_all_its_blocks_are_being_restored() -> None:
    under_way = Story(blocks=BLOCKS[:1])
    order = under_way.ordered(under_way.fetched(under_way.resolved(), BLOCKS[0]), BLOCKS[0])
    under_way.started(order, BLOCKS[0])
    end = under_way.events[-1].time + timedelta(hours=1)
    progress = RestoreProgressed(**under_way.about(BLOCKS[0]), step="applycal", percent=5, expected_end=end)
    assert told(under_way.events).expected_end is None
    under_way.say(progress, cause=order)
    assert told(under_way.events).expected_end == end


def test_waiting_is_told_until_something_goes_forward() -> None:
    under_way = Story(blocks=BLOCKS[:1])
    structure = under_way.resolved()
    staged = under_way.fetched(structure, BLOCKS[0])
    before = told(under_way.events[:-1])
    assert before.waiting is not None
    assert (before.waiting.service, before.waiting.cause, before.blocks[0].waiting) == (
        "ngas-fetcher", "away", before.waiting,
    )  # fmt: skip
    assert staged.topic == "artefacts.staged"
    assert told(under_way.events).waiting is None


def test_a_refusal_tells_the_user_why() -> None:
    refused = Story()
    refused.refused()
    record = told(refused.events)
    assert (record.state, record.reason, record.detail) == (
        RequestState.REFUSED,
        ReasonCode.NOT_ENTITLED,
        "proprietary",
    )
    assert record.text == REASONS[ReasonCode.NOT_ENTITLED].user
    assert record.step is None
    assert told(refused.events[:-1]).step is Step.MAIL


def test_a_failure_tells_the_reason_of_the_block_that_failed() -> None:
    failed = Story()
    failed.not_restored()
    record = told(failed.events)
    assert (record.state, record.reason, record.detail) == (RequestState.FAILED, ReasonCode.CASA_FAILED, "exit 1")
    assert [block.state for block in record.blocks] == [BlockState.RESTORED, BlockState.FAILED]


def test_what_cannot_both_be_true_is_recorded_and_not_applied() -> None:
    contradicted = Story()
    ready = contradicted.ready()
    contradicted.say(RequestFailed(request=REQUEST, failures=()), cause=ready)
    contradicted.failed(ready, BLOCKS[0])
    contradicted.restored(ready, BLOCKS[3])
    record = told(contradicted.events)
    assert record.state is RequestState.READY
    assert [(move.topic, move.state) for move in record.illegal] == [
        ("request.failed", "ready"), ("restore.completed", "unknown"), ("restore.failed", "restored"),
    ]  # fmt: skip
    assert [block.state for block in record.blocks] == [BlockState.RESTORED, BlockState.RESTORED]


def test_what_came_before_its_cause_counts_and_the_cause_is_missed() -> None:
    whole = Story()
    whole.delivered()
    *_, granted, announced, _mail = whole.events
    record = told([announced])
    assert record.state is RequestState.DELIVERED
    assert record.missing_causes == (granted.id,)
    assert record.mous == MOUS


def test_cancelling_ends_a_request_but_not_one_that_was_delivered_meanwhile() -> None:
    cancelled = Story()
    ready = cancelled.ready()
    cancelled.say(RequestCancelled(request_id=ID, mous_uid=MOUS, by="vrubin"), cause=ready)
    record = told(cancelled.events)
    assert (record.state, record.step, record.cancelled_by) == (RequestState.CANCELLED, None, "vrubin")
    delivered = Story()
    delivered.delivered()
    delivered.say(RequestCancelled(request_id=ID, mous_uid=MOUS, by="vrubin"))
    record = told(delivered.events)
    assert (record.state, record.cancelled_by, record.illegal) == (RequestState.DELIVERED, None, ())


def test_a_renewed_and_removed_delivery_tells_both() -> None:
    removed = Story()
    removed.removed()
    delivery = told(removed.events).delivery
    assert delivery is not None
    assert (delivery.renewals, delivery.removed, delivery.removed_files) == (1, removed.events[-1].time, ("a.tar",))
    assert (delivery.expires - delivery.announced).days == 56


def test_another_requests_products_are_no_word_about_this_one() -> None:
    lone = fold(UUID(int=7), [])
    assert (lone.state, lone.submitted, lone.blocks) == (RequestState.SUBMITTED, None, ())


def test_a_block_known_from_its_own_events_alone_is_shown() -> None:
    under_way = Story(blocks=BLOCKS[:1])
    order = under_way.ordered(under_way.fetched(under_way.resolved(), BLOCKS[0]), BLOCKS[0])
    started = under_way.started(order, BLOCKS[0])
    record = told([started])
    assert [(block.eb_uid, block.state) for block in record.blocks] == [(BLOCKS[0], BlockState.RESTORING)]


def test_a_second_word_of_readiness_changes_nothing() -> None:
    twice = Story()
    first = twice.ready()
    once = told(twice.events)
    twice.say(ProductsReady(request=REQUEST, blocks=(BLOCK,)), cause=first, key="again")
    again = told(twice.events)
    assert (again.state, again.moved, again.times) == (once.state, once.moved, once.times)

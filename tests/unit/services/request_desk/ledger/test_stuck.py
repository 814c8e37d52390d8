"""A request is stuck when nothing went forward for longer than its step may take; retries do not count."""

from datetime import timedelta

import pytest

from contracts.messages import RequestWaiting
from contracts.messages.parts import MailKind
from services.request_desk.ledger.facts import fact_of
from services.request_desk.ledger.folding import fold
from services.request_desk.ledger.order import condense
from services.request_desk.ledger.records import RequestRecord, StuckRequest
from services.request_desk.ledger.states import Step
from services.request_desk.ledger.stuck import LIMITS, find_stuck, still_since, unfinished
from tests.support.samples import REQUEST
from tests.support.stories import BLOCKS, Story


def record_of(story: Story) -> RequestRecord:
    return fold(REQUEST.request_id, condense(map(fact_of, story.events)).values())


def stuck(story: Story, after: timedelta) -> StuckRequest | None:
    return find_stuck(record_of(story), now=story.events[-1].time + after, limits=LIMITS)


def to_be_done(story: Story) -> list[str]:
    ids = unfinished(record_of(story), list(condense(map(fact_of, story.events)).values()))
    return [next(event.topic for event in story.events if event.id == each) for each in ids]


def test_a_step_may_take_its_limit_and_no_more() -> None:
    story = Story()
    story.submitted()
    limit = timedelta(seconds=LIMITS[Step.ENTITLEMENT])
    assert stuck(story, limit) is None
    found = stuck(story, limit + timedelta(seconds=1))
    assert found is not None
    assert (found.step, found.eb_uid, found.since) == (Step.ENTITLEMENT, None, story.events[0].time)


def test_every_step_has_a_limit() -> None:
    assert set(LIMITS) == set(Step)


def test_a_word_of_waiting_does_not_start_the_clock_again() -> None:
    story = Story()
    story.submitted()
    for attempt in range(1, 40):
        waits = RequestWaiting(
            request_id=REQUEST.request_id,
            mous_uid=REQUEST.mous_uid,
            service="entitlement-checker",
            cause="away",
            attempt=attempt,
            next_attempt=story.events[-1].time,
        )
        story.say(waits, cause=story.events[0], key=str(attempt))
    found = stuck(story, timedelta())
    assert found is not None
    assert found.since == story.events[0].time


def test_a_second_attempt_starts_the_clock_again_only_where_it_gets_further() -> None:
    story = Story(blocks=BLOCKS[:1])
    order = story.ordered(story.fetched(story.resolved(), BLOCKS[0]), BLOCKS[0])
    story.started(order, BLOCKS[0])
    furthest = story.progressed(order, BLOCKS[0], 60.0)
    for attempt in range(2, 30):
        story.started(order, BLOCKS[0], attempt=attempt)
        story.progressed(order, BLOCKS[0], 30.0 + attempt, attempt=attempt)
        assert record_of(story).blocks[0].moved == furthest.time
    further = story.progressed(order, BLOCKS[0], 61.0, attempt=30)
    assert record_of(story).blocks[0].moved == further.time


def test_the_block_that_is_late_is_named_though_others_go_on() -> None:
    story = Story()
    structure = story.resolved()
    order = story.ordered(story.fetched(structure, BLOCKS[0]), BLOCKS[0])
    story.say(story.started(order, BLOCKS[0]).data, cause=order, key="later", after=7 * 3600)
    found = stuck(story, timedelta())
    assert found is not None
    assert (found.step, found.eb_uid, found.since) == (Step.FETCH, BLOCKS[1], structure.time)


def test_a_request_that_is_over_is_never_stuck() -> None:
    story = Story()
    story.delivered()
    assert stuck(story, timedelta(days=400)) is None
    assert still_since(record_of(story)) is None


def test_a_refusal_whose_mail_does_not_go_out_is_stuck() -> None:
    story = Story()
    story.refused()
    story.events.pop()
    found = stuck(story, timedelta(hours=2))
    assert found is not None
    assert found.step is Step.MAIL
    assert to_be_done(story) == ["request.refused"]
    story.mailed(MailKind.REFUSED)
    assert stuck(story, timedelta(days=9)) is None
    assert to_be_done(story) == []


@pytest.mark.parametrize(
    ("said", "to_do"),
    [
        (1, ["request.submitted"]),
        (2, ["request.accepted"]),
        (3, ["structure.resolved"]),
        (8, ["artefacts.staged"]),
        (9, ["restore.ordered"]),
        (11, ["restore.ordered"]),
        (15, ["restore.ordered"]),
        (16, ["products.ready"]),
    ],
)
def test_what_nothing_followed_is_what_is_to_be_sent_on_again(said: int, to_do: list[str]) -> None:
    story = Story(blocks=BLOCKS[:1])
    story.ready()
    del story.events[said:]
    assert to_be_done(story) == to_do


def test_each_block_that_lags_is_sent_on_where_it_is() -> None:
    story = Story(blocks=BLOCKS[:3])
    structure = story.resolved()
    story.restored(story.run(story.fetched(structure, BLOCKS[0]), BLOCKS[0]), BLOCKS[0])
    story.ordered(story.fetched(structure, BLOCKS[1]), BLOCKS[1])
    assert to_be_done(story) == ["structure.resolved", "restore.ordered"]


def test_where_only_the_conclusion_is_missing_as_little_as_possible_is_done_again() -> None:
    story = Story()
    structure = story.resolved()
    order = story.run(story.fetched(structure, BLOCKS[0]), BLOCKS[0])
    story.restored(order, BLOCKS[0])
    story.failed(structure, BLOCKS[1])
    assert record_of(story).step is Step.CONCLUDE
    assert to_be_done(story) == ["structure.resolved"]

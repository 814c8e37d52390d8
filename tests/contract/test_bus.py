"""What every bus promises, tested on each adapter."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from threading import Barrier, Lock, Thread
from threading import Event as Flag
from time import monotonic
from uuid import uuid4

import pytest

from contracts.envelope import Event
from shared.bus import (
    Bus,
    DeadLetter,
    Delivery,
    Handler,
    RetryLater,
    RetryPolicy,
    Subscription,
    UnpublishableError,
    UnroutableError,
)
from shared.errors import DependencyAwayError, MisconfiguredError, RestoreError
from tests.contract.bus_harness import Collector, Harness, MemoryHarness, progressed, started, unwritable
from tests.contract.bus_rabbit import RabbitHarness

STARTED, PROGRESSED = "restore.started", "restore.progressed"
PATIENCE = 15.0


@pytest.fixture(params=["memory", "rabbitmq"])
def harness(request: pytest.FixtureRequest) -> Iterator[Harness]:
    harness: Harness = (
        MemoryHarness() if request.param == "memory" else RabbitHarness(request.getfixturevalue("rabbit_server").url)
    )
    yield harness
    harness.close()


@pytest.fixture
def bus(harness: Harness) -> Bus:
    return harness.bus()


def collecting(events: Collector[Event]) -> Handler:
    def handler(event: Event, delivery: Delivery) -> Sequence[Event]:
        events(event)
        return ()

    return handler


def collect(bus: Bus, queue: str, *topics: str) -> Collector[Event]:
    events = Collector[Event]()
    bus.subscribe(Subscription(queue=queue, topics=topics, handler=collecting(events)))
    return events


class Failing:
    """A handler that raises an error so many times before it succeeds."""

    def __init__(self, error: BaseException, times: int = 1_000) -> None:
        self.error, self.times = error, times
        self.attempts = Collector[tuple[Event, int, float]]()

    def __call__(self, event: Event, delivery: Delivery) -> Sequence[Event]:
        self.attempts((event, delivery.attempt, monotonic()))
        if delivery.attempt <= self.times:
            raise self.error
        return ()


def wait_for_dead_letter(bus: Bus, queue: str, number: int = 1) -> None:
    until = monotonic() + PATIENCE
    while len(bus.dead_letters(queue)) < number:
        assert monotonic() < until, "no dead letter"
        Flag().wait(0.02)


# Publishing


def test_an_event_reaches_every_queue_that_takes_its_topic_and_no_other(bus: Bus) -> None:
    one, two, other = (collect(bus, "one", STARTED), collect(bus, "two", STARTED), collect(bus, "other", PROGRESSED))
    first, last = started(), started()
    bus.publish([first, progressed(first), last])
    assert one.wait_for(2) == two.wait_for(2) == [first, last]
    assert other.wait_for(1) == [progressed(first).model_copy(update={"time": other.items[0].time})]


def test_an_event_arrives_exactly_as_it_was_said(bus: Bus) -> None:
    events = collect(bus, "casa-runner", STARTED, PROGRESSED)
    said = progressed(started(), 12.5)
    bus.publish([said])
    assert events.wait_for(1) == [said]


def test_an_event_is_kept_for_a_consumer_that_never_started_before(harness: Harness) -> None:
    publisher, event = harness.bus(), started()
    publisher.declare({"casa-runner": (STARTED,)})
    publisher.publish([event])
    publisher.close()
    assert collect(harness.bus(), "casa-runner", STARTED).wait_for(1) == [event]


def test_declaring_twice_loses_nothing(bus: Bus) -> None:
    event = started()
    bus.declare({"casa-runner": (STARTED,)})
    bus.publish([event])
    bus.declare({"casa-runner": (STARTED, PROGRESSED)})
    assert collect(bus, "casa-runner", STARTED, PROGRESSED).wait_for(1) == [event]


def test_publishing_where_nothing_is_declared_is_an_error(bus: Bus) -> None:
    with pytest.raises(UnroutableError):
        bus.publish([started()])


def test_an_event_that_no_queue_takes_is_for_onlookers_only(bus: Bus) -> None:
    events = collect(bus, "casa-runner", STARTED)
    seen = Collector[Event]()
    bus.listen(seen)
    cause = started()
    bus.publish([progressed(cause), cause])
    assert events.wait_for(1) == [cause]
    assert [event.topic for event in seen.wait_for(2)] == [PROGRESSED, STARTED]


def test_a_queue_takes_named_topics_and_no_patterns(bus: Bus) -> None:
    with pytest.raises(MisconfiguredError, match=r"restore\.#"):
        bus.declare({"casa-runner": ("restore.#",)})


def test_the_events_of_a_batch_arrive_in_their_order(bus: Bus) -> None:
    events = collect(bus, "casa-runner", STARTED)
    batch = [started() for _ in range(200)]
    bus.publish(batch)
    assert events.wait_for(200) == batch


def test_batches_of_many_threads_all_arrive_each_in_its_order(bus: Bus) -> None:
    events = collect(bus, "casa-runner", STARTED)
    batches = [[started() for _ in range(25)] for _ in range(8)]
    threads = [Thread(target=bus.publish, args=(batch,)) for batch in batches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    arrived = events.wait_for(200)
    assert [[event for event in arrived if event in batch] for batch in batches] == batches


def test_an_event_that_cannot_be_written_is_refused_and_none_of_its_batch_is_published(bus: Bus) -> None:
    events = collect(bus, "casa-runner", STARTED)
    with pytest.raises(UnpublishableError, match=r"restore\.started"):
        bus.publish([started(), unwritable()])
    last = started()
    bus.publish([last])
    assert events.wait_for(1) == [last]


def test_publishing_nothing_is_allowed(bus: Bus) -> None:
    bus.publish([])


# Handling


def test_what_a_handler_returns_is_published(bus: Bus) -> None:
    answers = collect(bus, "request-desk", PROGRESSED)
    bus.subscribe(
        Subscription(queue="casa-runner", topics=(STARTED,), handler=lambda event, _: [progressed(event, 100.0)])
    )
    cause = started()
    bus.publish([cause])
    (answer,) = answers.wait_for(1)
    assert (answer.causationid, answer.id) == (cause.id, progressed(cause, 100.0).id)


def test_a_handler_may_publish_while_it_works(bus: Bus) -> None:
    answers, go_on = collect(bus, "request-desk", PROGRESSED), Flag()

    def handler(event: Event, delivery: Delivery) -> Sequence[Event]:
        delivery.publish([progressed(event, 10.0)])
        assert go_on.wait(PATIENCE)
        return [progressed(event, 100.0)]

    bus.subscribe(Subscription(queue="casa-runner", topics=(STARTED,), handler=handler))
    bus.publish([cause := started()])
    assert [answer.id for answer in answers.wait_for(1)] == [progressed(cause, 10.0).id]
    go_on.set()
    assert answers.wait_for(2)[1].id == progressed(cause, 100.0).id


def test_no_more_events_are_handled_at_a_time_than_the_concurrency(bus: Bus) -> None:
    together, done, lock = Barrier(3), Collector[Event](), Lock()
    at_work, most = 0, 0

    def handler(event: Event, delivery: Delivery) -> Sequence[Event]:
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
        together.wait(PATIENCE)
        with lock:
            at_work -= 1
        done(event)
        return ()

    bus.subscribe(Subscription(queue="casa-runner", topics=(STARTED,), handler=handler, concurrency=3))
    bus.publish([started() for _ in range(9)])
    done.wait_for(9)
    assert most == 3


def test_the_consumers_of_a_queue_share_its_events(harness: Harness) -> None:
    one, two = harness.bus(), harness.bus()
    together, done = Barrier(2), Collector[tuple[str, Event]]()

    def handler_of(name: str) -> Handler:
        def handler(event: Event, delivery: Delivery) -> Sequence[Event]:
            together.wait(PATIENCE)
            done((name, event))
            return ()

        return handler

    for name, bus in (("one", one), ("two", two)):
        bus.subscribe(Subscription(queue="casa-runner", topics=(STARTED,), handler=handler_of(name)))
    batch = [started() for _ in range(4)]
    one.publish(batch)
    handled = done.wait_for(4)
    assert {event.id for _, event in handled} == {event.id for event in batch}
    assert {name for name, _ in handled} == {"one", "two"}


# Failing


def test_a_transient_error_is_tried_again_with_growing_delay_until_it_succeeds(bus: Bus) -> None:
    failing = Failing(DependencyAwayError("the archive does not answer"), times=2)
    bus.subscribe(Subscription(queue="casa-runner", topics=(STARTED,), handler=failing))
    bus.publish([event := started()])
    attempts = failing.attempts.wait_for(3)
    assert [(each, number) for each, number, _ in attempts] == [(event, 1), (event, 2), (event, 3)]
    waits = [later - earlier for (_, _, earlier), (_, _, later) in pairwise(attempts)]
    assert waits[0] >= 0.1
    assert waits[1] >= 0.2
    assert bus.dead_letters("casa-runner") == ()


def test_an_event_that_is_put_off_holds_up_no_other(harness: Harness) -> None:
    bus = harness.bus(RetryPolicy(delays=(30.0,)))
    done, refused = Collector[Event](), started()

    def handler(event: Event, delivery: Delivery) -> Sequence[Event]:
        if event == refused:
            raise DependencyAwayError("the archive does not answer")
        done(event)
        return ()

    bus.subscribe(Subscription(queue="casa-runner", topics=(STARTED,), handler=handler))
    bus.publish([refused, other := started()])
    assert done.wait_for(1) == [other]


def test_a_transient_error_past_the_deadline_becomes_a_dead_letter(harness: Harness) -> None:
    bus = harness.bus(RetryPolicy(delays=(0.1,), deadline=0.25))
    failing = Failing(DependencyAwayError("the archive does not answer"))
    bus.subscribe(Subscription(queue="casa-runner", topics=(STARTED,), handler=failing))
    bus.publish([started()])
    wait_for_dead_letter(bus, "casa-runner")
    (dead,) = bus.dead_letters("casa-runner")
    assert dead.code == "dependency_away"
    assert dead.attempt == len(failing.attempts.items) >= 3


def test_a_handler_that_ends_its_thread_does_not_end_the_consumer(bus: Bus) -> None:
    failing = Failing(SystemExit(1), times=1)
    bus.subscribe(Subscription(queue="casa-runner", topics=(STARTED,), handler=failing))
    bus.publish([event := started()])
    assert [(each, attempt) for each, attempt, _ in failing.attempts.wait_for(2)] == [(event, 1), (event, 2)]


def test_an_unforeseen_error_becomes_a_dead_letter_after_three_attempts(bus: Bus) -> None:
    failing = Failing(KeyError("gain"))
    bus.subscribe(Subscription(queue="casa-runner", topics=(STARTED,), handler=failing))
    bus.publish([event := started()])
    wait_for_dead_letter(bus, "casa-runner")
    (dead,) = bus.dead_letters("casa-runner")
    assert (dead.queue, dead.code, dead.attempt) == ("casa-runner", "unexpected", 3)
    assert dead.reason == "KeyError: 'gain'"
    assert Event.decode(dead.body) == event
    assert dead.first_failure is not None
    assert dead.first_failure >= event.time
    assert len(failing.attempts.items) == 3


def test_an_error_that_no_retry_can_heal_becomes_a_dead_letter_at_once(bus: Bus) -> None:
    class WrongFormError(RestoreError):
        code = "wrong_form"

    failing = Failing(WrongFormError("the manifest has no session"))
    bus.subscribe(Subscription(queue="casa-runner", topics=(STARTED,), handler=failing))
    bus.publish([started()])
    wait_for_dead_letter(bus, "casa-runner")
    (dead,) = bus.dead_letters("casa-runner")
    assert (dead.code, dead.attempt) == ("wrong_form", 1)
    assert "the manifest has no session" in dead.reason


def test_dead_letters_are_listed_in_order_and_stay(bus: Bus) -> None:
    bus.subscribe(Subscription(queue="casa-runner", topics=(STARTED,), handler=Failing(RestoreError("no"))))
    batch = [started() for _ in range(3)]
    bus.publish(batch)
    wait_for_dead_letter(bus, "casa-runner", 3)
    for _ in range(2):
        assert [Event.decode(dead.body) for dead in bus.dead_letters("casa-runner")] == batch


def test_a_dead_letter_that_is_replayed_is_handled_again_as_if_it_had_never_failed(bus: Bus) -> None:
    failing = Failing(RestoreError("no"), times=1)
    other, mine = started(), started()
    handled = Collector[tuple[Event, int]]()

    def handler(event: Event, delivery: Delivery) -> Sequence[Event]:
        handled((event, delivery.attempt))
        return failing(event, delivery) if len(handled.items) <= 2 else ()

    bus.subscribe(Subscription(queue="casa-runner", topics=(STARTED,), handler=handler))
    bus.publish([other, mine])
    wait_for_dead_letter(bus, "casa-runner", 2)
    assert bus.replay("casa-runner", [str(mine.id)]) == 1
    assert handled.wait_for(3)[2] == (mine, 1)
    assert [dead.key for dead in bus.dead_letters("casa-runner")] == [str(other.id)]


def test_a_dead_letter_that_is_dropped_is_gone_and_no_other(bus: Bus) -> None:
    bus.subscribe(Subscription(queue="casa-runner", topics=(STARTED,), handler=Failing(RestoreError("no"))))
    batch = [started() for _ in range(3)]
    bus.publish(batch)
    wait_for_dead_letter(bus, "casa-runner", 3)
    assert bus.drop("casa-runner", [str(batch[1].id), "unknown"]) == 1
    assert [dead.key for dead in bus.dead_letters("casa-runner")] == [str(batch[0].id), str(batch[2].id)]


def test_the_traceback_of_what_is_given_up_is_kept_and_named(bus: Bus) -> None:
    kept = Collector[tuple[Event, int, str]]()

    def keep(event: Event, attempt: int, traceback: str) -> str:
        kept((event, attempt, traceback))
        return "deadletters/1.txt"

    failing = Failing(RestoreError("the manifest has no session"))
    bus.subscribe(Subscription(queue="casa-runner", topics=(STARTED,), handler=failing, keep=keep))
    bus.publish([event := started()])
    wait_for_dead_letter(bus, "casa-runner")
    assert [dead.artefact for dead in bus.dead_letters("casa-runner")] == ["deadletters/1.txt"]
    ((about, attempt, traceback),) = kept.items
    assert (about, attempt) == (event, 1)
    assert "Traceback" in traceback
    assert "the manifest has no session" in traceback


def test_a_traceback_that_cannot_be_kept_keeps_no_event_from_being_given_up(bus: Bus) -> None:
    def keep(event: Event, attempt: int, traceback: str) -> str:
        raise DependencyAwayError("the store does not answer")

    bus.subscribe(Subscription(queue="casa-runner", topics=(STARTED,), handler=Failing(RestoreError("no")), keep=keep))
    bus.publish([started()])
    wait_for_dead_letter(bus, "casa-runner")
    assert [dead.artefact for dead in bus.dead_letters("casa-runner")] == [None]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"\xff\x00 no JSON", "not JSON"),
        (b"[" * 100_000, "recursion"),
        (b"[]", "event"),
        (b'{"specversion": "1.0", "type": "org.alma-restore.restore.started.v99"}', "unknown message type"),
        (b'{"specversion": "1.0", "type": "org.alma-restore.restore.started.v1", "data": {}}', "request_id"),
    ],
)
def test_a_message_that_cannot_be_read_is_kept_whole_in_the_dead_letters(
    harness: Harness, body: bytes, reason: str
) -> None:
    bus = harness.bus()
    events = collect(bus, "casa-runner", STARTED)
    harness.put_raw("casa-runner", body)
    bus.publish([event := started()])
    assert events.wait_for(1) == [event]
    wait_for_dead_letter(bus, "casa-runner")
    (dead,) = bus.dead_letters("casa-runner")
    assert (dead.body, dead.code, dead.attempt) == (body, "undecodable", 1)
    assert reason in dead.reason


def test_an_answer_that_cannot_be_written_makes_its_cause_a_dead_letter(bus: Bus) -> None:
    bus.subscribe(Subscription(queue="casa-runner", topics=(STARTED,), handler=lambda event, _: [unwritable()]))
    bus.publish([event := started()])
    wait_for_dead_letter(bus, "casa-runner")
    (dead,) = bus.dead_letters("casa-runner")
    assert (dead.code, Event.decode(dead.body)) == ("unpublishable", event)


def test_a_subscription_can_say_that_an_event_is_put_off_or_given_up(bus: Bus) -> None:
    said = collect(bus, "request-desk", PROGRESSED)
    decisions = Collector[tuple[RetryLater | DeadLetter, int]]()

    def report(event: Event, decision: RetryLater | DeadLetter, attempt: int) -> Sequence[Event]:
        decisions((decision, attempt))
        return [progressed(event, float(attempt))]

    bus.subscribe(
        Subscription(queue="casa-runner", topics=(STARTED,), handler=Failing(KeyError("gain")), report=report)
    )
    bus.publish([cause := started()])
    assert [event.id for event in said.wait_for(3)] == [progressed(cause, n).id for n in (1.0, 2.0, 3.0)]
    reason = "KeyError: 'gain'"
    told = f"unexpected: {reason}"
    expected = [(RetryLater(0.1, told), 1), (RetryLater(0.2, told), 2), (DeadLetter("unexpected", reason), 3)]
    assert decisions.items == expected


# Ending


class Slow:
    """A handler that works until it is let go."""

    def __init__(self) -> None:
        self.deliveries = Collector[tuple[Event, Delivery]]()
        self.go_on = Flag()

    def __call__(self, event: Event, delivery: Delivery) -> Sequence[Event]:
        self.deliveries((event, delivery))
        assert self.go_on.wait(PATIENCE)
        return [progressed(event, 100.0)]


def test_drain_lets_a_handler_finish_and_say_its_answer_and_takes_no_more(harness: Harness) -> None:
    bus, slow = harness.bus(), Slow()
    answers = collect(harness.bus(), "request-desk", PROGRESSED)
    bus.subscribe(Subscription(queue="casa-runner", topics=(STARTED,), handler=slow))
    first, second = started(), started()
    bus.publish([first, second])
    slow.deliveries.wait_for(1)
    drained = Collector[bool]()
    draining = Thread(target=lambda: drained(bus.drain(PATIENCE)))
    draining.start()
    slow.go_on.set()
    assert drained.wait_for(1) == [True]
    bus.close()
    assert answers.wait_for(1)[0].causationid == first.id
    assert [event for event, _ in slow.deliveries.items] == [first]
    assert collect(harness.bus(), "casa-runner", STARTED).wait_for(1) == [second]


def test_drain_stops_every_subscription_before_it_waits_for_one(harness: Harness) -> None:
    bus, other, slow = harness.bus(), harness.bus(), Slow()
    bus.subscribe(Subscription(queue="casa-runner", topics=(STARTED,), handler=slow))
    here, there = collect(bus, "request-desk", PROGRESSED), collect(other, "request-desk", PROGRESSED)
    other.publish([started()])
    slow.deliveries.wait_for(1)
    drained = Collector[bool]()
    draining = Thread(target=lambda: drained(bus.drain(PATIENCE)))
    draining.start()
    in_a_row, until = 0, monotonic() + PATIENCE
    while in_a_row < 5:
        other.publish([probe := progressed(started())])
        while probe not in here.items + there.items:
            assert monotonic() < until
        in_a_row = in_a_row + 1 if probe in there.items else 0
    assert drained.items == []
    slow.go_on.set()
    assert drained.wait_for(1) == [True]


def test_what_is_unfinished_when_a_bus_closes_comes_again_to_another(harness: Harness) -> None:
    bus, slow = harness.bus(), Slow()
    answers = collect(harness.bus(), "request-desk", PROGRESSED)
    bus.subscribe(Subscription(queue="casa-runner", topics=(STARTED,), handler=slow))
    bus.publish([event := started()])
    ((_, delivery),) = slow.deliveries.wait_for(1)
    assert not bus.drain(0.1)
    assert not delivery.lost.is_set()
    bus.close()
    assert delivery.lost.wait(PATIENCE)
    slow.go_on.set()
    again = Failing(RestoreError("never raised"), times=0)
    harness.bus().subscribe(Subscription(queue="casa-runner", topics=(STARTED,), handler=again))
    assert [(each, attempt) for each, attempt, _ in again.attempts.wait_for(1)] == [(event, 2)]
    assert answers.items == []


def test_an_idle_bus_drains_at_once_and_is_not_ready_once_closed(bus: Bus) -> None:
    collect(bus, "casa-runner", STARTED)
    assert bus.drain(PATIENCE)
    bus.close()
    assert not bus.is_ready()


def test_closing_twice_does_no_harm(bus: Bus) -> None:
    collect(bus, "casa-runner", STARTED)
    bus.close()
    bus.close()


# Listening


def test_an_onlooker_sees_the_events_of_one_request_until_it_has_seen_enough(bus: Bus) -> None:
    bus.declare({"casa-runner": (STARTED,)})
    request_id, seen, everything = uuid4(), Collector[Event](), Collector[Event]()
    stop = bus.listen(seen, request_id=request_id)
    bus.listen(everything)
    mine, later = started(request_id), started(request_id)
    bus.publish([started(), mine, started()])
    assert seen.wait_for(1) == [mine]
    stop()
    bus.publish([later])
    assert everything.wait_for(4)[-1] == later
    assert seen.items == [mine]


def test_an_onlooker_takes_nothing_away_from_the_queues(harness: Harness) -> None:
    bus, seen = harness.bus(), Collector[Event]()
    bus.declare({"casa-runner": (STARTED,)})
    bus.listen(seen)
    bus.publish([event := started()])
    assert seen.wait_for(1) == [event]
    assert collect(bus, "casa-runner", STARTED).wait_for(1) == [event]


def test_an_onlooker_that_fails_is_shown_the_next_event_all_the_same(bus: Bus) -> None:
    bus.declare({"casa-runner": (STARTED,)})
    seen = Collector[Event]()

    def listener(event: Event) -> None:
        seen(event)
        raise KeyError("screen")

    bus.listen(listener)
    batch = [started(), started()]
    bus.publish(batch)
    assert seen.wait_for(2) == batch

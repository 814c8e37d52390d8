"""What every bus promises of what fails, tested on each adapter."""

from collections.abc import Sequence
from itertools import pairwise

import pytest

from contracts.envelope import Event
from shared.bus import (
    Bus,
    DeadLetter,
    Delivery,
    RetryLater,
    RetryPolicy,
    Subscription,
)
from shared.errors import DependencyAwayError, RestoreError
from tests.contract.bus_harness import (
    PROGRESSED,
    STARTED,
    Collector,
    Failing,
    Harness,
    Slow,
    collect,
    progressed,
    started,
    unwritable,
    wait_for_dead_letter,
)


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


def test_an_event_that_is_put_off_holds_up_no_other(bus_harness: Harness) -> None:
    bus = bus_harness.bus(RetryPolicy(delays=(30.0,)))
    done, refused = Collector[Event](), started()

    def handler(event: Event, delivery: Delivery) -> Sequence[Event]:
        if event == refused:
            raise DependencyAwayError("the archive does not answer")
        done(event)
        return ()

    bus.subscribe(Subscription(queue="casa-runner", topics=(STARTED,), handler=handler))
    bus.publish([refused, other := started()])
    assert done.wait_for(1) == [other]


def test_a_transient_error_past_the_deadline_becomes_a_dead_letter(bus_harness: Harness) -> None:
    bus = bus_harness.bus(RetryPolicy(delays=(0.1,), deadline=0.25))
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


def test_an_unforeseen_error_is_tried_again_however_often_the_broker_took_the_event_back(bus_harness: Harness) -> None:
    publisher = bus_harness.bus()
    publisher.declare({"casa-runner": (STARTED,)})
    publisher.publish([event := started()])
    for _ in range(3):
        bus, slow = bus_harness.bus(), Slow()
        bus.subscribe(Subscription(queue="casa-runner", topics=(STARTED,), handler=slow))
        slow.deliveries.wait_for(1)
        bus.close()
        slow.go_on.set()
    failing = Failing(KeyError("gain"), times=4)
    publisher.subscribe(Subscription(queue="casa-runner", topics=(STARTED,), handler=failing))
    assert [(each, attempt) for each, attempt, _ in failing.attempts.wait_for(2)] == [(event, 4), (event, 5)]
    assert publisher.dead_letters("casa-runner") == ()


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
    bus_harness: Harness, body: bytes, reason: str
) -> None:
    bus = bus_harness.bus()
    events = collect(bus, "casa-runner", STARTED)
    bus_harness.put_raw("casa-runner", body)
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

"""What every bus promises of its end and of onlookers, tested on each adapter."""

from collections.abc import Sequence
from threading import Thread
from time import monotonic, sleep
from uuid import uuid4

import pytest

from contracts.envelope import Event
from shared.bus import (
    Bus,
    Delivery,
    DeliveryLostError,
    Subscription,
)
from shared.errors import RestoreError
from tests.contract.bus_harness import (
    PATIENCE,
    PROGRESSED,
    STARTED,
    Collector,
    Failing,
    Harness,
    Slow,
    collect,
    progressed,
    started,
)


def test_drain_lets_a_handler_finish_and_say_its_answer_and_takes_no_more(bus_harness: Harness) -> None:
    bus, slow = bus_harness.bus(), Slow()
    answers = collect(bus_harness.bus(), "request-desk", PROGRESSED)
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
    assert collect(bus_harness.bus(), "casa-runner", STARTED).wait_for(1) == [second]


def test_a_bus_that_its_handler_stops_begins_no_further_event_and_says_what_this_one_answers(
    bus_harness: Harness,
) -> None:
    bus, begun = bus_harness.bus(), Collector[Event]()
    answers = collect(bus_harness.bus(), "request-desk", PROGRESSED)

    def handler(event: Event, _: Delivery) -> Sequence[Event]:
        begun(event)
        bus.stop()
        return [progressed(event)]

    first, second = started(), started()
    bus.subscribe(Subscription(queue="casa-runner", topics=(STARTED,), handler=handler))
    bus.publish([first, second])
    assert answers.wait_for(1)[0].causationid == first.id
    assert bus.drain(PATIENCE)
    bus.close()
    assert begun.items == [first]
    assert collect(bus_harness.bus(), "casa-runner", STARTED).wait_for(1) == [second]


def test_drain_stops_every_subscription_before_it_waits_for_one(bus_harness: Harness) -> None:
    bus, other, slow = bus_harness.bus(), bus_harness.bus(), Slow()
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
            sleep(0.01)
        in_a_row = in_a_row + 1 if probe in there.items else 0
    assert drained.items == []
    slow.go_on.set()
    assert drained.wait_for(1) == [True]


def test_what_a_queue_has_not_begun_does_not_wait_for_the_handler_of_another(bus_harness: Harness) -> None:
    bus, other, slow, quicker = bus_harness.bus(), bus_harness.bus(), Slow(), Slow()
    bus.subscribe(Subscription(queue="casa-runner", topics=(STARTED,), handler=slow))
    bus.subscribe(Subscription(queue="request-desk", topics=(PROGRESSED,), handler=quicker, prefetch=2))
    other.publish([started(), progressed(started()), second := progressed(started())])
    slow.deliveries.wait_for(1)
    quicker.deliveries.wait_for(1)
    bus.stop()
    drained = Collector[bool]()
    Thread(target=lambda: drained(bus.drain(PATIENCE))).start()
    there = collect(other, "request-desk", PROGRESSED)
    quicker.go_on.set()
    assert there.wait_for(1) == [second]
    assert drained.items == []
    slow.go_on.set()
    assert drained.wait_for(1) == [True]


def test_what_is_unfinished_when_a_bus_closes_comes_again_to_another(bus_harness: Harness) -> None:
    bus, slow = bus_harness.bus(), Slow()
    answers = collect(bus_harness.bus(), "request-desk", PROGRESSED)
    bus.subscribe(Subscription(queue="casa-runner", topics=(STARTED,), handler=slow))
    bus.publish([event := started()])
    ((_, delivery),) = slow.deliveries.wait_for(1)
    assert not bus.drain(0.1)
    assert not delivery.lost.is_set()
    bus.close()
    assert delivery.lost.wait(PATIENCE)
    slow.go_on.set()
    again = Failing(RestoreError("never raised"), times=0)
    bus_harness.bus().subscribe(Subscription(queue="casa-runner", topics=(STARTED,), handler=again))
    assert [(each, attempt) for each, attempt, _ in again.attempts.wait_for(1)] == [(event, 2)]
    assert answers.items == []


def test_who_still_speaks_for_a_lost_delivery_is_told_so_at_once_and_nothing_is_said(bus_harness: Harness) -> None:
    bus, other = bus_harness.bus(), bus_harness.bus()
    begun, told = Collector[Event](), Collector[float]()
    answers = collect(other, "request-desk", PROGRESSED)

    def handler(event: Event, delivery: Delivery) -> Sequence[Event]:
        begun(event)
        assert delivery.lost.wait(PATIENCE)
        lost_at = monotonic()
        with pytest.raises(DeliveryLostError):
            delivery.publish([progressed(event)])
        told(monotonic() - lost_at)
        return ()

    bus.subscribe(Subscription(queue="casa-runner", topics=(STARTED,), handler=handler))
    bus.publish([started()])
    begun.wait_for(1)
    bus.close()
    assert told.wait_for(1)[0] < 5.0
    other.publish([last := progressed(started())])
    assert answers.wait_for(1) == [last]


def test_an_idle_bus_drains_at_once_and_is_not_ready_once_closed(bus: Bus) -> None:
    collect(bus, "casa-runner", STARTED)
    assert bus.drain(PATIENCE)
    bus.close()
    assert not bus.is_ready()


def test_closing_twice_does_no_harm(bus: Bus) -> None:
    collect(bus, "casa-runner", STARTED)
    bus.close()
    bus.close()


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


def test_an_onlooker_sees_only_the_topics_that_it_asks_for(bus: Bus) -> None:
    bus.declare({"casa-runner": (STARTED,), "request-desk": (PROGRESSED,)})
    seen, everything = Collector[Event](), Collector[Event]()
    bus.listen(seen, topics=(PROGRESSED,))
    bus.listen(everything)
    wanted = progressed(started())
    bus.publish([started(), wanted, started()])
    everything.wait_for(3)
    assert seen.wait_for(1) == [wanted]


def test_an_onlooker_takes_nothing_away_from_the_queues(bus_harness: Harness) -> None:
    bus, seen = bus_harness.bus(), Collector[Event]()
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

"""What every bus promises of publishing and handling, tested on each adapter."""

from collections.abc import Sequence
from threading import Barrier, Lock, Thread
from threading import Event as Flag

import pytest

from contracts.envelope import Event
from shared.bus import (
    Bus,
    Delivery,
    Handler,
    Subscription,
    UnpublishableError,
    UnroutableError,
)
from shared.errors import MisconfiguredError
from tests.contract.bus_harness import (
    PATIENCE,
    PROGRESSED,
    STARTED,
    Collector,
    Harness,
    collect,
    collecting,
    progressed,
    started,
    unwritable,
)


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


def test_an_event_is_kept_for_a_consumer_that_never_started_before(bus_harness: Harness) -> None:
    publisher, event = bus_harness.bus(), started()
    publisher.declare({"casa-runner": (STARTED,)})
    publisher.publish([event])
    publisher.close()
    assert collect(bus_harness.bus(), "casa-runner", STARTED).wait_for(1) == [event]


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


def test_events_that_are_held_ahead_of_their_handling_keep_their_order(bus: Bus) -> None:
    bus.declare({"casa-runner": (STARTED,)})
    events, waiting = Collector[Event](), [started() for _ in range(200)]
    bus.publish(waiting)
    bus.subscribe(
        Subscription(queue="casa-runner", topics=(STARTED,), handler=collecting(events), concurrency=1, prefetch=50)
    )
    assert events.wait_for(200) == waiting


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


def test_the_consumers_of_a_queue_share_its_events(bus_harness: Harness) -> None:
    one, two = bus_harness.bus(), bus_harness.bus()
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

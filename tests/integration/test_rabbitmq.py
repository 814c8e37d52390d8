"""What only RabbitMQ can do to us: cut connections, closed channels, deleted queues, its own death."""

from collections.abc import Iterator, Sequence
from threading import Event as Flag
from threading import Thread
from time import monotonic, sleep

import pika
import pytest
from pydantic import SecretStr

from contracts.envelope import Event
from shared.bus import Delivery, DeliveryLostError, Subscription
from shared.errors import DependencyAwayError
from tests.contract.bus_harness import Collector, Slow, progressed, started
from tests.support.rabbit_world import (
    PATIENCE,
    PROGRESSED,
    STARTED,
    Interrupted,
    World,
    assert_repeated_with_the_same_ids,
    publish_until_routed,
)
from tests.support.rabbitmq import RabbitServer
from tests.support.tcp_proxy import TcpProxy


@pytest.fixture(scope="module")
def fragile_server() -> Iterator[RabbitServer]:
    """A broker that may be killed, and that takes a delivery back after a second and a half."""
    with RabbitServer(rabbit={"consumer_timeout": 1500, "channel_tick_interval": 300}) as server:
        yield server


@pytest.fixture
def fragile(fragile_server: RabbitServer) -> Iterator[World]:
    world = World(fragile_server)
    yield world
    world.close()


def test_a_cut_connection_takes_the_delivery_from_its_handler_and_the_work_is_done_again(world: World) -> None:
    answers = world.collect("request-desk", PROGRESSED)
    interrupted, event = Interrupted(), started()
    with TcpProxy(target_port=world.server.port) as proxy:
        url = SecretStr(world.server.url.replace(str(world.server.port), str(proxy.port)))
        bus = world.bus(url=url)
        bus.subscribe(Subscription(queue="casa-runner", topics=(STARTED,), handler=interrupted))
        bus.publish([event])
        answers.wait_for(1)
        proxy.cut()
        assert_repeated_with_the_same_ids(event, interrupted, answers)
        bus.close()


def test_a_delivery_held_beyond_the_acknowledgement_timeout_is_lost_and_comes_again(fragile: World) -> None:
    answers = fragile.collect("request-desk", PROGRESSED)
    interrupted, event = Interrupted(), started()
    bus = fragile.bus()
    bus.subscribe(Subscription(queue="casa-runner", topics=(STARTED,), handler=interrupted))
    bus.publish([event])
    assert_repeated_with_the_same_ids(event, interrupted, answers)


def test_a_broker_with_an_alarm_is_told_with_what_it_lacks_and_what_was_said_is_no_error_of_ours(
    fragile: World,
) -> None:
    bus = fragile.bus(confirm_timeout=1.5, settle_time=1.0)
    bus.declare({"casa-runner": (STARTED,)})
    with fragile.plain() as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.basic_publish("", fragile.names.dead("casa-runner"), b"given up", pika.BasicProperties(delivery_mode=2))
    with fragile.server.low_on_disk():
        with pytest.raises(DependencyAwayError, match=r"takes no messages \(low on disk\)"):
            bus.publish([started()])
        (letter,) = bus.dead_letters("casa-runner")
        with pytest.raises(DependencyAwayError, match="takes no messages"):
            bus.replay("casa-runner", {letter.key})
        # The broker takes it back from the connection that was given up.
        until = monotonic() + PATIENCE
        while bus.dead_letters("casa-runner") != (letter,):
            assert monotonic() < until
            sleep(0.1)


def test_a_consumer_whose_queue_is_deleted_makes_it_anew_and_goes_on(world: World) -> None:
    bus, interrupted = world.bus(), Interrupted()
    answers = world.collect("request-desk", PROGRESSED)
    bus.subscribe(Subscription(queue="casa-runner", topics=(STARTED,), handler=interrupted))
    bus.publish([started()])
    ((_, delivery),) = interrupted.deliveries.wait_for(1)
    with world.plain() as connection:
        connection.channel().queue_delete(world.names.queue("casa-runner"))
    assert delivery.lost.wait(PATIENCE)
    last = started()
    publish_until_routed(bus, last)
    assert progressed(last, 100.0).id in [answer.id for answer in answers.wait_for(3, PATIENCE)]


@pytest.mark.parametrize(("prefetch", "ready"), [(None, 4), (3, 2)])
def test_a_process_holds_as_many_events_as_it_handles_unless_more_is_asked_for(
    world: World, prefetch: int | None, ready: int
) -> None:
    bus, slow = world.bus(), Slow()
    bus.declare({"casa-runner": (STARTED,), "request-desk": (PROGRESSED,)})
    bus.publish([started() for _ in range(5)])
    bus.subscribe(Subscription(queue="casa-runner", topics=(STARTED,), handler=slow, prefetch=prefetch))
    slow.deliveries.wait_for(1)
    until = monotonic() + PATIENCE
    while (found := [each.ready for each in bus.depths(["casa-runner"])]) != [ready]:
        assert monotonic() < until, found
        sleep(0.05)
    slow.go_on.set()
    slow.deliveries.wait_for(5)


def test_heartbeats_go_on_while_a_handler_works_longer_than_they_allow(world: World) -> None:
    lost = Collector[bool]()

    def handler(event: Event, delivery: Delivery) -> Sequence[Event]:
        lost(delivery.lost.wait(4.0))
        return ()

    bus = world.bus(heartbeat=1)
    bus.subscribe(Subscription(queue="casa-runner", topics=(STARTED,), handler=handler))
    bus.publish([started()])
    assert lost.wait_for(1) == [False]
    assert bus.is_ready()


def test_a_message_that_ends_every_process_becomes_a_dead_letter_of_the_broker(world: World) -> None:
    event = started()
    watching = world.bus(delivery_limit=2)
    watching.declare({"casa-runner": (STARTED,)})
    watching.publish([event])
    for _ in range(3):
        dying, interrupted = world.bus(delivery_limit=2), Interrupted()
        dying.subscribe(Subscription(queue="casa-runner", topics=(STARTED,), handler=interrupted))
        interrupted.deliveries.wait_for(1)
        dying.close()
    until = monotonic() + PATIENCE
    while not (dead := watching.dead_letters("casa-runner")):
        assert monotonic() < until
        sleep(0.05)
    assert [(each.code, Event.decode(each.body)) for each in dead] == [("delivery_limit", event)]


def test_a_broker_killed_while_events_are_published_loses_none(fragile: World) -> None:
    bus = fragile.bus(confirm_timeout=PATIENCE, settle_time=1.0)
    bus.declare({"casa-runner": (STARTED,)})
    published, stop = Collector[Event](), Flag()

    def publish() -> None:
        while not stop.is_set():
            batch = [started() for _ in range(20)]
            bus.publish(batch)
            for event in batch:
                published(event)

    publishing = Thread(target=publish)
    publishing.start()
    before = len(published.wait_for(400))
    fragile.server.restart()
    published.wait_for(before + 400, PATIENCE)
    stop.set()
    publishing.join(PATIENCE)
    events = fragile.collect("casa-runner", STARTED)
    ids = {event.id for event in published.items}
    arrived = events.wait_for(len(ids), PATIENCE)
    assert {event.id for event in arrived} == ids


def test_who_speaks_while_the_broker_dies_hears_so_at_once_and_the_work_is_done_again_and_said(
    fragile: World,
) -> None:
    bus, event = fragile.bus(settle_time=1.0, confirm_timeout=PATIENCE), started()
    at_work, deliveries, told_at = Flag(), Collector[Delivery](), Collector[float]()

    def handler(event: Event, delivery: Delivery) -> Sequence[Event]:
        deliveries(delivery)
        while len(deliveries.items) == 1:
            try:
                delivery.publish([progressed(event, 10.0)])
            except DeliveryLostError:
                told_at(monotonic())
                break
            at_work.set()
        return [progressed(event, 100.0)]

    bus.declare({"request-desk": (PROGRESSED,)})
    bus.subscribe(Subscription(queue="casa-runner", topics=(STARTED,), handler=handler))
    bus.publish([event])
    assert at_work.wait(PATIENCE)
    killed_at = monotonic()
    fragile.server.restart()
    assert told_at.wait_for(1)[0] < killed_at + 5.0
    answers, last = fragile.collect("request-desk", PROGRESSED), progressed(event, 100.0).id
    said = [answer.id for answer in answers.wait_until(lambda items: items[-1].id == last, PATIENCE)]
    assert said.count(last) == 1
    assert [delivery.attempt for delivery in deliveries.items] == [1, 2]

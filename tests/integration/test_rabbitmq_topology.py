"""What RabbitMQ makes of a topology that is incomplete, or another; what it keeps; how a start fails."""

from collections.abc import Mapping, Sequence
from time import monotonic, sleep
from traceback import format_exception
from typing import Any
from uuid import UUID

import pika
import pytest
from pydantic import SecretStr

from contracts.envelope import Event
from shared.bus import Delivery, Subscription, UnroutableError
from shared.errors import DependencyAwayError, MisconfiguredError
from tests.contract.bus_harness import QUICK, Collector, progressed, started
from tests.support.ports import free_ports
from tests.support.rabbit_world import (
    PATIENCE,
    PROGRESSED,
    STARTED,
    Interrupted,
    World,
    assert_repeated_with_the_same_ids,
)
from tests.support.relay import Relay
from tests.support.tcp_proxy import TcpProxy


def test_an_event_whose_queue_is_gone_is_an_error_although_onlookers_see_it(world: World) -> None:
    bus, seen, event = world.bus(), Collector[Event](), started()
    bus.declare({"casa-runner": (STARTED,), "request-desk": (PROGRESSED,)})
    bus.listen(seen)
    with world.plain() as connection:
        connection.channel().queue_delete(world.names.queue("casa-runner"))
    with pytest.raises(UnroutableError, match=r"restore\.started"):
        bus.publish([progressed(event), event])
    seen.wait_for(2)
    bus.publish([progressed(event)])


def test_an_event_is_delivered_once_its_late_queue_is_declared(world: World) -> None:
    bus, event = world.bus(), started()
    bus.declare({"casa-runner": (STARTED,)})
    with world.plain() as connection:
        connection.channel().queue_delete(world.names.queue("casa-runner"))
    with pytest.raises(UnroutableError):
        bus.publish([event])
    events = world.collect("casa-runner", STARTED)
    bus.publish([event])
    assert events.wait_for(1) == [event]


def test_an_answer_that_no_queue_takes_puts_its_cause_off_until_one_does(world: World) -> None:
    bus, event, attempts = world.bus(), started(), Collector[int]()

    def handler(event: Event, delivery: Delivery) -> Sequence[Event]:
        attempts(delivery.attempt)
        return [progressed(event, 100.0)]

    declaring = world.bus()
    declaring.declare({"request-desk": (PROGRESSED,)})
    declaring.close()
    bus.subscribe(Subscription(queue="casa-runner", topics=(STARTED,), handler=handler))
    with world.plain() as connection:
        connection.channel().queue_delete(world.names.queue("request-desk"))
    bus.publish([event])
    attempts.wait_for(2)
    answers = world.collect("request-desk", PROGRESSED)
    assert answers.wait_for(1)[0].id == progressed(event, 100.0).id
    assert attempts.items == list(range(1, len(attempts.items) + 1))


def test_the_journal_keeps_every_event_consumed_or_not(world: World) -> None:
    bus, event = world.bus(), started()
    bus.declare({"casa-runner": (STARTED,)})
    batch = [event, *(progressed(event, float(percent)) for percent in range(20))]
    bus.publish(batch)
    assert read_journal(world, len(batch)) == [each.id for each in batch]


def read_journal(world: World, number: int) -> list[UUID]:
    """Read so many events from the beginning of the stream."""
    with world.plain() as connection:
        channel = connection.channel()
        channel.basic_qos(prefetch_count=1000)
        got: list[UUID] = []

        def on_message(channel: Any, method: Any, _properties: pika.BasicProperties, body: bytes) -> None:
            got.append(Event.decode(body).id)
            channel.basic_ack(method.delivery_tag)

        channel.basic_consume(world.names.journal, on_message, arguments={"x-stream-offset": "first"})
        until = monotonic() + PATIENCE
        while len(got) < number and monotonic() < until:
            connection.process_data_events(1.0)
        return got


def test_a_dead_letter_says_in_its_headers_who_gave_it_up_and_why(world: World) -> None:
    bus = world.bus()
    bus.declare({"casa-runner": (STARTED,)})
    bus.subscribe(Subscription(queue="casa-runner", topics=(STARTED,), handler=lambda event, _: ()))
    body = b'{"type": "org.alma-restore.restore.started.v99"}'
    with world.plain() as connection:
        channel = connection.channel()
        sent = pika.BasicProperties(message_id="stranger", content_type="text/plain", headers={"x-own": "kept"})
        channel.basic_publish("", world.names.queue("casa-runner"), body, sent)
        until = monotonic() + PATIENCE
        properties: pika.BasicProperties | None = None
        while properties is None and monotonic() < until:
            _, properties, dead = channel.basic_get(world.names.dead("casa-runner"), auto_ack=True)
    assert properties is not None
    assert dead == body
    assert (properties.message_id, properties.content_type) == ("stranger", "text/plain")
    headers: Mapping[str, Any] = properties.headers or {}
    assert headers["x-own"] == "kept"
    assert (headers["x-service"], headers["x-code"], headers["x-attempt"]) == ("casa-runner", "undecodable", 1)
    assert "unknown message type" in headers["x-reason"]
    assert headers["x-first-failure"] <= headers["x-died"]


def test_a_message_whose_properties_are_no_text_is_kept_and_holds_up_no_other(world: World) -> None:
    events, bus = world.collect("casa-runner", STARTED), world.bus()
    with world.plain() as connection:
        properties: Any = pika.BasicProperties
        for strange in (properties(reply_to=b"\xff"), properties(message_id=b"\xff", headers={b"\xff": "x"})):
            connection.channel().basic_publish("", world.names.queue("casa-runner"), b"no event", strange)
    bus.publish([event := started()])
    assert events.wait_for(1) == [event]
    until = monotonic() + PATIENCE
    while len(bus.dead_letters("casa-runner")) < 2:
        assert monotonic() < until
        sleep(0.05)
    dead = bus.dead_letters("casa-runner")
    assert [(each.code, each.body) for each in dead] == [("undecodable", b"no event")] * 2
    assert bus.drop("casa-runner", {each.key for each in dead}) == 2


def test_a_wait_queue_that_was_removed_is_made_anew(world: World) -> None:
    attempts, bus = Collector[int](), world.bus()

    def handler(event: Event, delivery: Delivery) -> Sequence[Event]:
        attempts(delivery.attempt)
        if delivery.attempt == 1:
            raise DependencyAwayError("the archive does not answer")
        return ()

    bus.subscribe(Subscription(queue="casa-runner", topics=(STARTED,), handler=handler))
    with world.plain() as connection:
        connection.channel().queue_delete(world.names.wait(QUICK.delay_after(1)))
    bus.publish([started()])
    assert attempts.wait_for(2) == [1, 2]


def test_a_queue_with_other_properties_is_refused_with_what_differs(world: World) -> None:
    with world.plain() as connection:
        connection.channel().queue_declare(world.names.queue("casa-runner"), durable=True)
    with pytest.raises(MisconfiguredError, match=r"casa-runner: x-dead-letter-exchange is none, not ''"):
        world.bus().declare({"casa-runner": (STARTED,)})


def test_what_is_missing_or_differs_is_listed_whole_and_nothing_is_changed(world: World) -> None:
    queues = {"casa-runner": (STARTED,)}
    world.bus(delivery_limit=5).declare(queues)
    with world.plain() as connection:
        connection.channel().queue_delete(world.names.dead("casa-runner"))
    bus = world.bus()
    for _ in range(2):
        assert [str(each) for each in bus.compare(queues)] == [
            f"{world.names.dead('casa-runner')} is missing",
            f"{world.names.queue('casa-runner')}: x-delivery-limit is 5, not 20",
        ]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"journal_age": "7D"}, "x-max-age is 7D, not 90D"),
        ({"journal_bytes": 9}, "x-max-length-bytes is 9, not 2000000000"),
    ],
    ids=["age", "bytes"],
)
def test_the_journal_keeps_as_long_and_as_much_as_is_set(world: World, change: dict[str, Any], found: str) -> None:
    queues = {"casa-runner": (STARTED,)}
    world.bus(**change).declare(queues)
    assert world.bus(**change).compare(queues) == ()
    assert [str(each) for each in world.bus().compare(queues)] == [f"{world.names.journal}: {found}"]


def test_what_came_to_differ_while_a_service_ran_does_not_keep_it_from_reconnecting(world: World) -> None:
    interrupted, event = Interrupted(), started()
    answers = world.collect("request-desk", PROGRESSED)
    with TcpProxy(target_port=world.server.port) as proxy:
        url = SecretStr(world.server.url.replace(str(world.server.port), str(proxy.port)))
        bus = world.bus(url=url)
        bus.subscribe(Subscription(queue="casa-runner", topics=(STARTED,), handler=interrupted))
        bus.publish([event])
        answers.wait_for(1)
        with world.plain() as connection:
            channel = connection.channel()
            channel.queue_delete(world.names.dead("casa-runner"))
            channel.queue_declare(world.names.dead("casa-runner"), durable=True)
        proxy.cut()
        assert_repeated_with_the_same_ids(event, interrupted, answers)
        bus.close()


def test_a_wrong_password_is_told_without_showing_it(world: World) -> None:
    bus = world.bus(url=SecretStr(world.server.url.replace(":guest@", ":hush-hush@")))
    with pytest.raises(MisconfiguredError, match="user, password") as caught:
        bus.declare({"casa-runner": (STARTED,)})
    assert "hush-hush" not in "".join(format_exception(caught.value))


def test_a_connection_that_is_cut_while_it_is_made_is_no_wrong_password(world: World) -> None:
    with Relay("127.0.0.1", world.server.port) as relay:
        relay.cut_after(100)
        bus = world.bus(url=SecretStr(f"amqp://guest:guest@127.0.0.1:{relay.port}/"))
        bus.declare({"casa-runner": (STARTED,)})
        bus.close()
    assert relay.interruptions == 1


def test_a_broker_that_is_away_is_told_after_the_connect_timeout(world: World) -> None:
    (port,) = free_ports(1)
    bus = world.bus(url=SecretStr(f"amqp://guest:guest@127.0.0.1:{port}/"), connect_timeout=0.5, confirm_timeout=0.5)
    with pytest.raises(DependencyAwayError, match="cannot be reached"):
        bus.declare({"casa-runner": (STARTED,)})
    with pytest.raises(DependencyAwayError, match="did not confirm 1 of 1"):
        bus.publish([started()])
    assert not bus.is_ready()

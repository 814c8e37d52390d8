"""Pika used by hand, the yardstick of the bus."""

from collections.abc import Callable, Sequence
from threading import Thread
from time import perf_counter, sleep
from typing import Any
from uuid import uuid4

import pika
from pika.adapters.select_connection import SelectConnection
from pika.channel import Channel

from contracts.envelope import Event
from contracts.messages import RestoreStarted
from shared.bus import wire
from shared.bus.settings import RabbitSettings
from shared.bus.topology import Names
from tests.support.samples import EB, MOUS

WINDOW = 1000
PREFETCH = 50
MESSAGES_A_SECOND = 50.0
PATIENCE = 60.0


def said(text: str = "node1") -> Event:
    """Make an event of about half a kilobyte."""
    message = RestoreStarted(request_id=uuid4(), mous_uid=MOUS, eb_uid=EB, runner=text, attempt=1)
    return Event.first(message, source="/alma-restore/bench")


class ByHand:
    """Pika's asynchronous connection, as its own examples use it."""

    def __init__(self, settings: RabbitSettings) -> None:
        self._settings = settings
        self._names = Names(settings.prefix)

    def publish(self, events: Sequence[Event]) -> float:
        """Publish within a window of confirmations; events a second."""
        outgoing = [wire.of_event(event, event.encode(), names=self._names) for event in events]
        state = {"sent": 0, "confirmed": 0, "began": 0.0, "ended": 0.0}

        def pump(channel: Channel) -> None:
            while state["sent"] < len(outgoing) and state["sent"] - state["confirmed"] < WINDOW:
                each = outgoing[int(state["sent"])]
                state["sent"] += 1
                channel.basic_publish(each.exchange, each.routing_key, each.body, each.properties, mandatory=True)

        def begin(channel: Channel) -> None:
            def confirmed(frame: Any) -> None:
                tag = frame.method.delivery_tag
                state["confirmed"] = tag if frame.method.multiple else state["confirmed"] + 1
                pump(channel)
                if state["confirmed"] >= len(outgoing):
                    state["ended"] = perf_counter()
                    channel.connection.close()

            channel.confirm_delivery(confirmed)
            state["began"] = perf_counter()
            pump(channel)

        _run(self._settings, begin)
        return len(outgoing) / (state["ended"] - state["began"])

    def consume(self, queue: str, number: int) -> float:
        """Consume and acknowledge one by one; events a second."""
        times: list[float] = []

        def begin(channel: Channel) -> None:
            def take(channel: Channel, method: Any, _properties: pika.BasicProperties, _body: bytes) -> None:
                channel.basic_ack(method.delivery_tag)
                times.append(perf_counter())
                if len(times) == number:
                    channel.connection.close()

            channel.basic_qos(prefetch_count=PREFETCH)
            channel.basic_consume(self._names.queue(queue), take)

        _run(self._settings, begin)
        return (number - 1) / (times[-1] - times[0])


def _run(settings: RabbitSettings, begin: Callable[[Channel], None]) -> None:
    connection = SelectConnection(
        settings.parameters("by hand"),
        on_open_callback=lambda opened: opened.channel(on_open_callback=begin),
        on_close_callback=lambda closed, _reason: closed.ioloop.stop(),
    )
    connection.ioloop.start()


def hop_by_hand(settings: RabbitSettings, number: int) -> list[float]:
    """Publish with confirmation over one connection and take it from another; milliseconds in between."""
    queue = Names(settings.prefix).queue("by-hand")
    arrived: list[float] = []
    started: list[float] = []
    with pika.BlockingConnection(settings.parameters("by hand")) as connection:
        channel = connection.channel()
        channel.queue_declare(queue, durable=True, arguments={"x-queue-type": "quorum"})
        channel.confirm_delivery()

        def begin(taking: Channel) -> None:
            def take(channel: Channel, method: Any, _properties: pika.BasicProperties, _body: bytes) -> None:
                arrived.append(perf_counter())
                channel.basic_ack(method.delivery_tag)
                if len(arrived) == number:
                    channel.connection.close()

            taking.basic_consume(queue, take)

        taking = Thread(target=_run, args=(settings, begin))
        taking.start()
        began, body = perf_counter(), said().encode()
        for turn in range(number):
            sleep(max(0.0, began + turn / MESSAGES_A_SECOND - perf_counter()))
            started.append(perf_counter())
            channel.basic_publish("", queue, body, pika.BasicProperties(delivery_mode=2), mandatory=True)
        taking.join(PATIENCE)
    return [1000 * (end - start) for start, end in zip(started, arrived, strict=True)]

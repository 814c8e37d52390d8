"""Buses on a real RabbitMQ under a prefix of their own, and a plain connection to look behind them."""

from collections.abc import Sequence
from time import monotonic, sleep
from typing import Any
from uuid import uuid4

import pika
from pydantic import SecretStr

from contracts.envelope import Event
from shared.bus import Delivery, RetryPolicy, Subscription, UnroutableError
from shared.bus.rabbitmq import RabbitBus
from shared.bus.settings import RabbitSettings
from shared.bus.topology import Names
from tests.contract.bus_harness import QUICK, Collector, progressed
from tests.support.rabbitmq import RabbitServer

STARTED, PROGRESSED = "restore.started", "restore.progressed"
PATIENCE = 30.0


class World:
    """Buses under one prefix, and a plain connection to look behind them."""

    def __init__(self, server: RabbitServer) -> None:
        self.server = server
        self.settings = RabbitSettings(
            url=SecretStr(server.url), prefix=f"test-{uuid4().hex[:8]}", settle_time=0.0, reconnect_delay_max=0.5
        )
        self.names = Names(self.settings.prefix)
        self._buses: list[RabbitBus] = []

    def bus(self, *, retry: RetryPolicy = QUICK, **changes: Any) -> RabbitBus:
        bus = RabbitBus(settings=self.settings.model_copy(update=changes), retry=retry)
        self._buses.append(bus)
        return bus

    def collect(self, queue: str, topic: str) -> Collector[Event]:
        events = Collector[Event]()

        def handler(event: Event, delivery: Delivery) -> Sequence[Event]:
            events(event)
            return ()

        self.bus().subscribe(Subscription(queue=queue, topics=(topic,), handler=handler, concurrency=50))
        return events

    def plain(self) -> pika.BlockingConnection:
        return pika.BlockingConnection(self.settings.parameters("test"))

    def close(self) -> None:
        for bus in self._buses:
            bus.close()


class Interrupted:
    """A handler that says something, then waits until its first delivery is lost."""

    def __init__(self) -> None:
        self.deliveries = Collector[tuple[Event, Delivery]]()
        self.ended = Collector[bool]()

    def __call__(self, event: Event, delivery: Delivery) -> Sequence[Event]:
        self.deliveries((event, delivery))
        is_first = len(self.deliveries.items) == 1
        try:
            delivery.publish([progressed(event, 10.0)])
        finally:  # what is said may be heard, and the delivery be lost, before its confirmation comes
            if is_first:
                self.ended(delivery.lost.wait(PATIENCE))
        return [progressed(event, 100.0)]


def assert_repeated_with_the_same_ids(event: Event, interrupted: Interrupted, answers: Collector[Event]) -> None:
    """The first delivery was lost, the second came to its end, and nothing said has a second id.

    What was said just when the connection broke may be said once more: whether it arrived could not be told.
    """
    (_, first), (again, second) = interrupted.deliveries.wait_for(2, PATIENCE)
    assert interrupted.ended.wait_for(1) == [True]
    assert first.lost.is_set()
    assert again == event
    assert second.attempt == 2
    early, late = progressed(event, 10.0).id, progressed(event, 100.0).id
    said = [answer.id for answer in answers.wait_until(lambda items: items[-1].id == late, PATIENCE)]
    assert said.count(late) == 1
    assert said.count(early) == len(said) - 1 >= 2


def publish_until_routed(bus: RabbitBus, event: Event) -> None:
    """Publish again and again, as the cause of an unroutable event is tried again."""
    until = monotonic() + PATIENCE
    while True:
        try:
            bus.publish([event])
        except UnroutableError:
            assert monotonic() < until
            sleep(0.05)
        else:
            return

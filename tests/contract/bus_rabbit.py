"""The bus contract suite's harness for RabbitMQ: each test has exchanges and queues of its own."""

from uuid import uuid4

import pika
from pydantic import SecretStr

from shared.bus import Bus, RetryPolicy
from shared.bus.rabbitmq import RabbitBus
from shared.bus.settings import RabbitSettings
from shared.bus.topology import Names
from tests.contract.bus_harness import QUICK


class RabbitHarness:
    """Buses on one RabbitMQ broker, under a prefix of their own.

    Parameters
    ----------
    url
        Where the broker is.
    """

    def __init__(self, url: str) -> None:
        self.settings = RabbitSettings(
            url=SecretStr(url), prefix=f"test-{uuid4().hex[:8]}", settle_time=0.0, confirm_timeout=10.0
        )
        self.names = Names(self.settings.prefix)
        self._buses: list[RabbitBus] = []

    def bus(self, retry: RetryPolicy = QUICK) -> Bus:
        bus = RabbitBus(settings=self.settings, retry=retry)
        self._buses.append(bus)
        return bus

    def put_raw(self, queue: str, body: bytes) -> None:
        with pika.BlockingConnection(self.settings.parameters("test")) as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            properties = pika.BasicProperties(delivery_mode=2, headers={"x-attempt": "not a number"})
            channel.basic_publish("", self.names.queue(queue), body, properties, mandatory=True)

    def close(self) -> None:
        for bus in self._buses:
            bus.close()

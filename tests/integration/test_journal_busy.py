"""The journal is read while others write to it: its end is found, and whoever stops reading hears no error."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from threading import Event as Flag
from threading import Thread
from unittest.mock import Mock
from uuid import uuid4

import pika
import pytest
from pydantic import SecretStr

from contracts.flow import QUEUES
from shared.bus.examining import examine_bus
from shared.bus.following import Follower
from shared.bus.journal import BATCH, end_of_journal, read_journal
from shared.bus.rabbitmq import RabbitBus
from shared.bus.retry import RetryPolicy
from shared.bus.settings import RabbitSettings
from shared.bus.topology import Names
from tests.support.rabbitmq import RabbitServer


@pytest.fixture
def settings(rabbit_server: RabbitServer) -> RabbitSettings:
    settings = RabbitSettings(url=SecretStr(rabbit_server.url), prefix=f"test-{uuid4().hex[:8]}", settle_time=0)
    bus = RabbitBus(settings=settings)
    bus.declare(QUEUES)
    bus.close()
    return settings


def written(settings: RabbitSettings, count: int) -> None:
    with pika.BlockingConnection(settings.parameters("writer")) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        for number in range(count):
            channel.basic_publish("", Names(settings.prefix).journal, str(number).encode())


@contextmanager
def busy(settings: RabbitSettings) -> Iterator[None]:
    ended = Flag()

    def write() -> None:
        while not ended.wait(0.02):
            written(settings, 1)

    writer = Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        ended.set()
        writer.join()


def test_a_journal_with_events_is_examined_as_one_that_can_be_read(settings: RabbitSettings) -> None:
    written(settings, 10)
    for _ in range(3):
        found = {each.check: each for each in examine_bus(settings, retry=RetryPolicy(), longest={})}
        assert found["broker: journal (stream)"].found == "can be read"


def test_the_end_of_a_journal_is_found_while_events_go_on_to_come(settings: RabbitSettings) -> None:
    written(settings, 10)
    with busy(settings):
        first = end_of_journal(settings)
        second = end_of_journal(settings)
    assert first is not None
    assert second is not None
    assert 9 <= first < second


def test_whoever_stops_reading_in_the_middle_hears_no_error(settings: RabbitSettings) -> None:
    written(settings, BATCH + 100)
    with closing(read_journal(settings, Mock(spec=Follower), after=None)) as batches:
        assert next(batches)

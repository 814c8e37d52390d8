"""The archive's database away: requests wait with growing delay and say so; back again, they go on within seconds.

RabbitMQ and PostgreSQL are real, and so are the two services that read the tables.
"""

from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from uuid import UUID, uuid4

import pytest
from prometheus_client import CollectorRegistry

from contracts.envelope import Event
from contracts.messages import (
    RequestAccepted,
    RequestRefused,
    RequestSubmitted,
    RequestWaiting,
    StructureResolved,
)
from observatory import metadata_demo as demo
from services.entitlement_checker import service as entitlement_checker
from services.entitlement_checker.settings import EntitlementCheckerSettings
from services.metadata_resolver import service as metadata_resolver
from services.metadata_resolver.settings import MetadataResolverSettings
from shared.bus import RetryPolicy
from shared.metrics import ServiceMetrics
from shared.objects import DirectorySettings, open_store
from shared.runtime import Runtime
from tests.contract.bus_rabbit import RabbitHarness
from tests.support.conversation import Conversation
from tests.support.demo_requests import request_of
from tests.support.postgresql import PostgresServer, PostgresTables
from tests.support.rabbitmq import RabbitServer

RETRY = RetryPolicy(delays=(0.2, 0.4, 0.8), spread=(1.0,))
REQUESTS = 5


@pytest.fixture
def rabbit(rabbit_server: RabbitServer) -> Iterator[RabbitHarness]:
    harness = RabbitHarness(rabbit_server.url)
    yield harness
    harness.close()


def submitted(number: int) -> Event:
    request = request_of(demo.PI, request_id=UUID(int=number, version=4), ticket=f"1614{number}", force=True)
    return Event.first(RequestSubmitted(request=request), source="/test", event_id=uuid4())


def test_requests_wait_while_the_database_is_away_and_go_on_within_seconds(
    postgres_tables: PostgresTables, postgres_server: PostgresServer, rabbit: RabbitHarness, tmp_path: Path
) -> None:
    objects = open_store(DirectorySettings(root=tmp_path / "objects"))
    database = postgres_tables.settings(pause_away=0.1)
    checker = entitlement_checker.build(objects=objects, settings=EntitlementCheckerSettings(database=database))
    resolver = metadata_resolver.build(objects=objects, settings=MetadataResolverSettings(database=database))
    bus = rabbit.bus(RETRY)
    runtime = Runtime(bus=bus, metrics=ServiceMetrics(CollectorRegistry()))
    for service in (checker, resolver):
        runtime.add(service)
    talk = Conversation(bus)

    postgres_server.stop()
    bus.publish([submitted(number) for number in range(1, REQUESTS + 1)])
    talk.until(3 * REQUESTS, RequestWaiting, timeout=15)
    assert not checker.is_ready()
    postgres_server.start()
    back = monotonic()
    talk.until(REQUESTS, StructureResolved, timeout=10)
    took = monotonic() - back
    bus.drain(5)
    checker.close()
    resolver.close()
    objects.close()

    assert took < 5
    first = [event.data for event in talk.heard if event.correlationid == UUID(int=1, version=4)]
    waits = [
        (said.next_attempt - event.time).total_seconds()
        for event in talk.heard
        if isinstance(said := event.data, RequestWaiting) and said.request_id == UUID(int=1, version=4)
    ]
    assert [round(wait, 1) for wait in waits[:3]] == [0.2, 0.4, 0.8]
    assert all("dependency_away" in said.cause for said in first if isinstance(said, RequestWaiting))
    accepted = {event.correlationid for event in talk.heard if isinstance(event.data, RequestAccepted)}
    assert accepted == {UUID(int=number, version=4) for number in range(1, REQUESTS + 1)}
    assert not [event for event in talk.heard if isinstance(event.data, RequestRefused)]
    assert not bus.dead_letters(checker.name)
    assert not bus.dead_letters(resolver.name)

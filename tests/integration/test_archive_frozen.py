"""A database that stops in the middle of a talk: everything is given up in time, and goes on when it answers again.

PostgreSQL is real, and all its processes are stopped by SIGSTOP: its port still takes connections.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import active_count, current_thread, get_ident
from time import monotonic, sleep
from typing import Any

import psycopg
import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import text

from contracts.envelope import Event
from contracts.flow import QUEUES
from contracts.messages import RequestAccepted, RequestRefused, RequestSubmitted, RequestWaiting
from observatory import metadata_demo as demo
from services.entitlement_checker import service as entitlement_checker
from services.entitlement_checker.settings import EntitlementCheckerSettings
from shared.archive_db import ArchiveDatabase
from shared.bus import RetryPolicy
from shared.errors import DependencyAwayError
from shared.metrics import ServiceMetrics
from shared.objects import DirectorySettings, open_store
from shared.runtime import Runtime
from tests.contract.bus_rabbit import RabbitHarness
from tests.support.conversation import Conversation
from tests.support.demo_requests import request_of
from tests.support.postgresql import PostgresServer, PostgresTables
from tests.support.rabbitmq import RabbitServer
from tests.support.samples import REQUEST_ID

LIMITS: dict[str, Any] = {"connect_timeout": 0.5, "statement_timeout": 0.5, "pause_away": 0.1}
MOST = 4.0
"""Seconds that anything may take: a ping, a statement with its grace, a connect and a good-bye, one after the other."""


@pytest.fixture
def database(postgres_tables: PostgresTables) -> Iterator[ArchiveDatabase]:
    database = ArchiveDatabase(settings=postgres_tables.settings(**LIMITS))
    yield database
    database.close()


def until(condition: Callable[[], bool], *, seconds: float) -> float:
    """Wait until something holds, and tell how long that took."""
    begin = monotonic()
    while not condition():
        assert monotonic() - begin < seconds
        sleep(0.02)
    return monotonic() - begin


def read(database: ArchiveDatabase) -> object:
    with database.reading() as connection:
        return connection.execute(text("SELECT 1")).scalar()


def seconds_of_giving_up(action: Callable[[], object]) -> float:
    begin = monotonic()
    with pytest.raises(DependencyAwayError, match="the archive database"):
        action()
    return monotonic() - begin


def test_a_statement_under_way_is_given_up_and_its_connection_never_used_again(
    database: ArchiveDatabase, postgres_server: PostgresServer
) -> None:
    def read_while_it_freezes() -> None:
        with database.reading() as connection:
            connection.execute(text("SELECT 1"))
            with postgres_server.frozen():
                begin = monotonic()
                with pytest.raises(DependencyAwayError, match=r"gave no execute within 1\.5 s"):
                    connection.execute(text("SELECT 2"))
                assert monotonic() - begin < MOST
                assert connection.invalidated

    read_while_it_freezes()
    until(database.is_ready, seconds=10)
    assert read(database) == 1


def test_a_pooled_connection_is_given_up_at_its_ping_and_so_is_a_new_one(
    database: ArchiveDatabase, postgres_server: PostgresServer
) -> None:
    assert database.is_ready()
    with postgres_server.frozen():
        assert seconds_of_giving_up(lambda: read(database)) < MOST
        begin = monotonic()
        assert not database.is_ready()
        assert monotonic() - begin < MOST
        until(lambda: seconds_of_giving_up(lambda: read(database)) >= 0.3, seconds=10)  # beyond the pause: a connect
    until(database.is_ready, seconds=10)


def test_many_tries_cost_a_bounded_number_of_threads(
    database: ArchiveDatabase, postgres_server: PostgresServer
) -> None:
    before = active_count()
    assert database.is_ready()
    with postgres_server.frozen(), ThreadPoolExecutor(16) as callers:
        for _ in range(4):
            list(callers.map(lambda _: seconds_of_giving_up(lambda: read(database)), range(16)))
        assert active_count() - before <= 16 + 4 + 8, "callers, a full pool, and as many as may hang beside it"
    until(database.is_ready, seconds=10)
    database.close()
    until(lambda: active_count() <= before, seconds=20)


class Guests:
    """Who works in which connection of the driver, and which one was closed by another."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.inside: dict[psycopg.Connection[Any], int] = {}
        self.closed_beneath: list[psycopg.Connection[Any]] = []
        self._wait, self._close = psycopg.Connection.wait, psycopg.Connection.close
        monkeypatch.setattr(psycopg.Connection, "wait", lambda *args, **kwargs: self._work(*args, **kwargs))
        monkeypatch.setattr(psycopg.Connection, "close", lambda connection: self._end(connection))

    def _work(self, connection: psycopg.Connection[Any], *args: Any, **kwargs: Any) -> Any:
        self.inside[connection] = get_ident()
        try:
            return self._wait(connection, *args, **kwargs)
        finally:
            del self.inside[connection]

    def _end(self, connection: psycopg.Connection[Any]) -> None:
        if self.inside.get(connection, get_ident()) != get_ident():
            self.closed_beneath.append(connection)
        self._close(connection)


def test_a_call_that_was_given_up_ends_soon_and_its_connection_is_closed_by_nobody_else(
    database: ArchiveDatabase, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that is closed beneath a call that works in it ends the whole process, now and then."""
    guests = Guests(monkeypatch)
    assert database.is_ready()
    with postgres_server.frozen():
        assert seconds_of_giving_up(lambda: read(database)) < MOST
        until(lambda: not guests.inside, seconds=3)
    assert not guests.closed_beneath
    until(database.is_ready, seconds=10)


def test_nothing_is_said_to_the_server_without_a_deadline(
    database: ArchiveDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    names, wait = set[str](), psycopg.Connection.wait

    def watched(*args: Any, **kwargs: Any) -> Any:
        names.add(current_thread().name)
        return wait(*args, **kwargs)

    monkeypatch.setattr(psycopg.Connection, "wait", watched)
    assert database.is_ready()
    assert read(database) == 1
    assert names == {"archive-db-call"}


def submitted() -> Event:
    return Event.first(RequestSubmitted(request=request_of(demo.PI, request_id=REQUEST_ID)), source="/test")


def test_a_request_waits_for_a_frozen_database_and_goes_on_when_it_answers(
    postgres_tables: PostgresTables, postgres_server: PostgresServer, rabbit_server: RabbitServer, tmp_path: Path
) -> None:
    rabbit = RabbitHarness(rabbit_server.url)
    bus = rabbit.bus(RetryPolicy(delays=(0.2, 0.4, 0.8), spread=(1.0,)))
    bus.declare(QUEUES)
    talk = Conversation(bus)
    objects = open_store(DirectorySettings(root=tmp_path / "objects"))
    settings = EntitlementCheckerSettings(database=postgres_tables.settings(**LIMITS))
    checker = entitlement_checker.build(objects=objects, settings=settings)
    Runtime(bus=bus, metrics=ServiceMetrics(CollectorRegistry())).add(checker)
    try:
        assert checker.is_ready()
        with postgres_server.frozen():
            bus.publish([submitted()])
            talk.until(2, RequestWaiting, timeout=20)
            assert not checker.is_ready()
        talk.until(1, RequestAccepted, timeout=20)
        assert not talk.of(RequestRefused)
        assert not bus.dead_letters(checker.name)
    finally:
        bus.drain(5)
        rabbit.close()
        checker.close()
        objects.close()

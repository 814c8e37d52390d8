"""Brokers, a database server's tables; a mail server, and the services that end requests with it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.mail_house import House, running
from tests.support.mail_server import Mailbox, serving
from tests.support.postgresql import PostgresServer, PostgresTables
from tests.support.rabbit_world import World
from tests.support.rabbitmq import RabbitServer


@pytest.fixture(scope="session")
def managed_rabbit() -> Iterator[RabbitServer]:
    """A broker whose management plugin runs; the exchanges that a deployment has are left to who submits over them."""
    with RabbitServer(management=True) as server:
        yield server


@pytest.fixture
def world(rabbit_server: RabbitServer) -> Iterator[World]:
    """What is said over a real broker, under names of the test's own."""
    world = World(rabbit_server)
    yield world
    world.close()


@pytest.fixture(scope="module")
def postgres_tables(postgres_server: PostgresServer) -> Iterator[PostgresTables]:
    """The demo's metadata database on a server."""
    tables = PostgresTables(postgres_server)
    tables.fill()
    yield tables
    tables.close()


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def port(mailbox: Mailbox) -> Iterator[int]:
    with serving(mailbox) as found:
        yield found


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with running(tmp_path) as house:
        yield house

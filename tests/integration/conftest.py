"""A broker with its management plugin; a mail server, and the services that end requests with it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.mail_house import House, running
from tests.support.mail_server import Mailbox, serving
from tests.support.rabbitmq import RabbitServer


@pytest.fixture(scope="session")
def managed_rabbit() -> Iterator[RabbitServer]:
    """A broker whose management plugin runs; the exchanges that a deployment has are left to who submits over them."""
    with RabbitServer(management=True) as server:
        yield server


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

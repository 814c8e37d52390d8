"""A mail server, and the services that end requests with it, for the tests of mails."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.mail_house import House, running
from tests.support.mail_server import Mailbox, serving


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

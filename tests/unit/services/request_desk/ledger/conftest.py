"""A ledger on SQLite for each test, whose time stands still until the test moves it."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from services.request_desk.ledger.migrating import migrate
from services.request_desk.ledger.store import SqlLedger
from tests.support.stories import BEGAN


class Clock:
    """Tells the time that the test sets."""

    def __init__(self) -> None:
        self.time = BEGAN

    def __call__(self) -> datetime:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'ledger.db'}"


@pytest.fixture
def ledger(url: str, clock: Clock) -> Iterator[SqlLedger]:
    migrate(url)
    opened = SqlLedger(url=url, now=clock)
    yield opened
    opened.close()

"""The ledger on each database that it can use."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from services.request_desk.ledger.migrating import migrate
from services.request_desk.ledger.store import SqlLedger
from tests.support.postgresql import PostgresServer
from tests.support.stories import BEGAN


class LedgerHarness:
    """Opens ledgers on one database of their own.

    Parameters
    ----------
    url
        The database.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.time = BEGAN
        self._open: list[SqlLedger] = []
        migrate(url)

    def open(self, now: Callable[[], datetime] | None = None) -> SqlLedger:
        """Open the ledger once more, as another process does."""
        ledger = SqlLedger(url=self.url, now=now or (lambda: self.time))
        self._open.append(ledger)
        return ledger

    def close(self) -> None:
        """Close what was opened."""
        for ledger in self._open:
            ledger.close()


def sqlite_url(folder: Path) -> str:
    """Name a new SQLite file."""
    return f"sqlite:///{folder / 'ledger.db'}"


def postgresql_url(server: PostgresServer) -> str:
    """Name a new database on the server."""
    return server.url(server.new_database()).render_as_string(hide_password=False)

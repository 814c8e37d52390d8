"""The ledger within the desk's process: open, fed, watched over, and closed at the end."""

from collections.abc import Callable

import structlog
from prometheus_client import CollectorRegistry

from services.request_desk.ledger.acting import Publish, take_up_again
from services.request_desk.ledger.follower import LedgerFollower
from services.request_desk.ledger.metrics import LedgerMetrics
from services.request_desk.ledger.migrating import migrate
from services.request_desk.ledger.monitor import Monitor
from services.request_desk.ledger.settings import LedgerSettings
from services.request_desk.ledger.store import SqlLedger
from shared.bus import Bus

log = structlog.get_logger(__name__)


class Keeping:
    """Keeps a ledger as long as the desk runs.

    Parameters
    ----------
    ledger
        The ledger.
    registry
        Where its metrics are declared.
    interval
        Seconds between two looks for stuck requests.
    """

    def __init__(self, *, ledger: SqlLedger, registry: CollectorRegistry, interval: float) -> None:
        self.ledger = ledger
        self._monitor = Monitor(ledger=ledger, metrics=LedgerMetrics(registry), interval=interval)
        self._end_following: Callable[[], None] | None = None

    def oversee(self, bus: Bus) -> None:
        """Begin to take in every event."""
        self._end_following = bus.follow(LedgerFollower(ledger=self.ledger))

    def begin(self) -> None:
        """Begin to look for stuck requests."""
        self._monitor.begin()

    def take_up_again(self, publish: Publish) -> int:
        """Send on again what is unfinished, where the bus forgot it; tell of how many requests."""
        number = take_up_again(ledger=self.ledger, publish=publish)
        log.info("requests_taken_up_again", number=number)
        return number

    def rest(self) -> None:
        """Look for stuck requests no more."""
        self._monitor.rest()

    def is_ready(self) -> bool:
        """Whether the database answers."""
        return self.ledger.is_ready()

    def close(self) -> None:
        """End the following, and close the database."""
        if self._end_following is not None:
            self._end_following()
        self.ledger.close()


def open_ledger(settings: LedgerSettings) -> SqlLedger:
    """Open the ledger that the settings name; its tables are brought to this release, if the settings let us.

    Raises
    ------
    MisconfiguredError
        If no ledger is named, or the database is none that we can use.
    DependencyAwayError
        If the database does not answer.
    """
    url = settings.address()
    if settings.migrate:
        done = migrate(url)
        if done.before != done.after:
            log.info("ledger_migrated", before=done.before, after=done.after)
    return SqlLedger(url=url, limits=settings.limits())

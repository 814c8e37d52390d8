"""The ledger in a database: takes events in, and reads what follows from them."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import insert

from contracts.envelope import Event
from services.request_desk.ledger import journal
from services.request_desk.ledger.base import Watcher
from services.request_desk.ledger.database import open_engine, reading, writing
from services.request_desk.ledger.queries import Queries
from services.request_desk.ledger.records import DownloadRecord, RequestRecord
from services.request_desk.ledger.states import Step
from services.request_desk.ledger.stuck import LIMITS
from services.request_desk.ledger.tables import DOWNLOADS
from services.request_desk.ledger.taking import take_in
from services.request_desk.ledger.together import Together
from services.request_desk.ledger.watching import Watchers, changed


class SqlLedger(Queries):
    """Keeps the ledger in SQLite or PostgreSQL, whose tables `migrating.migrate` has made.

    What it knows of a request is folded anew from all facts at each event, in the
    transaction that takes the event in. What several threads record at the same time goes into
    one transaction: waiting for the disk is what takes long. Who writes holds the clock's row: one at a time,
    and changes become visible in the order of their numbers.

    Parameters
    ----------
    url
        Where the database is: ``sqlite:////folder/ledger.db`` or ``postgresql+psycopg://…``.
    limits
        Seconds that each step may take without going forward.
    now
        Tells the time.
    """

    def __init__(
        self,
        *,
        url: str,
        limits: Mapping[Step, float] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__(engine=open_engine(url), limits={**LIMITS, **(limits or {})}, now=now)
        self._together: Together[Event, bool] = Together(self._take_in)
        self._watchers = Watchers(changes=self.changes, last=self.last_change)

    def record(self, event: Event) -> bool:
        """Take an event in; tell whether it was new. See `base.Ledger`."""
        return self._together.do(event)

    def record_all(self, events: Sequence[Event], *, place: int | None = None) -> int:
        """Take events in, all or none, and with them the place in the journal of the last; tell how many were new."""
        return sum(self._take_in(events, place=place))

    def _take_in(self, events: Sequence[Event], *, place: int | None = None) -> Sequence[bool]:
        with writing(self._engine) as connection:
            new, changes = take_in(connection, events, now=self.now())
            moved = place is not None and journal.move(connection, place)
            if not changes and not moved:
                connection.rollback()
        for request_id, change in changes.items():
            self._watchers.tell(request_id, change)
        return new

    def watch(self, watcher: Watcher, *, request_id: UUID | None = None) -> Callable[[], None]:
        """Call a watcher after each change of a request (of any if None); what is returned ends that."""
        return self._watchers.add(watcher, request_id=request_id)

    async def wait(self, request_id: UUID, *, since: int, timeout: float) -> RequestRecord | None:
        """Wait until a request has changed after change ``since``; see `base.Ledger`."""
        found: list[RequestRecord | None] = [None]

        def look() -> bool:
            found[0] = self.request(request_id)
            return found[0] is not None and found[0].change > since

        await changed(self._watchers, request_id, look=look, timeout=timeout)
        return found[0]

    def note_download(self, download: DownloadRecord) -> None:
        """Note that a download begins."""
        with writing(self._engine) as connection:
            connection.execute(
                insert(DOWNLOADS).values(
                    request_id=download.request_id, at=download.at, record=download.model_dump_json()
                )
            )

    def place(self) -> int | None:
        """Return the place in the journal of the last event that was taken; None if it was never read."""
        with reading(self._engine) as connection:
            return journal.place(connection)

    def forget_place(self) -> None:
        """Begin at the beginning of the journal the next time."""
        with writing(self._engine) as connection:
            journal.forget(connection)

    def note_unreadable(self, body: bytes, reason: str) -> None:
        """Keep an event that cannot be taken in, for a person."""
        with writing(self._engine) as connection:
            journal.put_unreadable(connection, body, reason, now=self.now())

    def note_missed(self, first: int, last: int) -> None:
        """Note that the events between these places of the journal were gone before they were read."""
        with writing(self._engine) as connection:
            journal.put_missed(connection, first, last, now=self.now())

    def close(self) -> None:
        """Release the database and end all watching."""
        self._watchers.close()
        self._engine.dispose()

"""The ledger in a database: takes events in, and reads what follows from them."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import delete, insert, select

from contracts.envelope import Event
from services.request_desk.ledger import journal
from services.request_desk.ledger.base import Watcher
from services.request_desk.ledger.database import asking, open_engine, writing
from services.request_desk.ledger.queries import Queries
from services.request_desk.ledger.records import DownloadRecord, RequestRecord
from services.request_desk.ledger.states import Step
from services.request_desk.ledger.stuck import LIMITS
from services.request_desk.ledger.tables import BLOCKS, DOWNLOADS, EVENTS, MISSED, POSITION, REQUESTS, UNREADABLE
from services.request_desk.ledger.taking import refold, take_in
from services.request_desk.ledger.together import Together
from services.request_desk.ledger.watching import Recent, Watchers, changed
from shared.bus.following import Place


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
        self._recent = Recent()
        self._together: Together[Event, bool] = Together(self._take_in)
        self._watchers = Watchers(changes=self._news, last=self.last_change)

    def record(self, event: Event) -> bool:
        """Take an event in; tell whether it was new. See `base.Ledger`."""
        return self._together.do(event)

    def record_all(self, events: Sequence[Event], *, place: Place | None = None) -> int:
        """Take events in, all or none, and with them the place in the journal of the last; tell how many were new."""
        return sum(self._take_in(events, place=place))

    def _take_in(self, events: Sequence[Event], *, place: Place | None = None) -> Sequence[bool]:
        with writing(self._engine) as connection:
            new, changes = take_in(connection, events, now=self.now())
            moved = place is not None and journal.move(connection, place)
            if not changes and not moved:
                connection.rollback()
        for request_id, written in changes.items():
            self._recent.put(written.record)
            self._watchers.tell(request_id, written.change)
        return new

    def _news(self, since: int) -> Sequence[tuple[int, UUID]]:
        """List what other processes have changed, and read the requests for those who wait for them."""
        found = self.changes(since, limit=100_000)
        others = [request_id for change, request_id in found if self._recent.change(request_id) < change]
        for request_id in others:
            if self._watchers.is_watched(request_id):
                self._recent.put(self.request(request_id))
        return [(change, request_id) for change, request_id in found if request_id in set(others)]

    def watch(self, watcher: Watcher, *, request_id: UUID | None = None) -> Callable[[], None]:
        """Call a watcher after each change of a request (of any if None); what is returned ends that."""
        return self._watchers.add(watcher, request_id=request_id)

    async def wait(self, request_id: UUID, *, since: int, timeout: float) -> RequestRecord | None:
        """Wait until a request has changed after change ``since``; see `base.Ledger`."""
        found: list[RequestRecord | None] = [None]

        async def look(at_least: int) -> bool:
            found[0] = self._recent.get(request_id, at_least) or await asyncio.to_thread(self.request, request_id)
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

    def place(self) -> Place | None:
        """Return the place in the journal of the last event that was taken; None if it was never read."""
        with asking(self._engine) as connection:
            return journal.place(connection)

    def forget_place(self) -> None:
        """Begin at the beginning of the journal the next time."""
        with writing(self._engine) as connection:
            journal.forget(connection)

    def clear(self) -> None:
        """Forget all that events told; downloads and the count of changes stay."""
        with writing(self._engine) as connection:
            for table in (EVENTS, REQUESTS, BLOCKS, POSITION, UNREADABLE, MISSED):
                connection.execute(delete(table))

    def fold_anew(self) -> tuple[UUID, ...]:
        """Fold every request anew from the facts that are kept; return those that come out otherwise than before."""
        return tuple(request_id for request_id in self._known() if self._fold_anew(request_id))

    def _known(self) -> Sequence[UUID]:
        with asking(self._engine) as connection:
            return connection.execute(select(EVENTS.c.request_id).distinct()).scalars().all()

    def _fold_anew(self, request_id: UUID) -> bool:
        with writing(self._engine) as connection:
            change = refold(connection, request_id)
            if change is None:
                connection.rollback()
                return False
        self._watchers.tell(request_id, change)
        return True

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

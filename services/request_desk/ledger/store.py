"""The ledger in a database: takes events in, and reads what follows from them."""

import zlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from contracts.envelope import Event
from services.request_desk.ledger.base import Watcher
from services.request_desk.ledger.database import open_engine, writing
from services.request_desk.ledger.facts import Fact, fact_of, read_facts
from services.request_desk.ledger.folding import fold
from services.request_desk.ledger.order import condense, key_of
from services.request_desk.ledger.queries import Queries
from services.request_desk.ledger.records import DownloadRecord, RequestRecord
from services.request_desk.ledger.rows import block_rows, request_row
from services.request_desk.ledger.states import Step
from services.request_desk.ledger.stuck import LIMITS
from services.request_desk.ledger.tables import BLOCKS, CLOCK, DOWNLOADS, EVENTS, REQUESTS
from services.request_desk.ledger.watching import Watchers, changed

_ABOUT_NO_REQUEST = frozenset({"ticket.submitted", "ticket.refused", "mail.sent", "request.waiting", "request.resent"})
"""Topics that alone make no request: they may be about a ticket."""


class SqlLedger(Queries):
    """Keeps the ledger in SQLite or PostgreSQL, whose tables `migrating.migrate` has made.

    What it knows of a request is folded anew from all facts at each event, in the
    transaction that takes the event in. Who writes holds the clock's row: one at a time,
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
        self._watchers = Watchers(changes=self.changes, last=self.last_change)

    def record(self, event: Event) -> bool:
        """Take an event in; tell whether it was new. See `base.Ledger`."""
        fact = fact_of(event)
        request_id = request_of(event)
        with writing(self._engine) as connection:
            change = _next_change(connection)
            known = _facts(connection, request_id)
            kept = condense([*known.values(), fact])
            if kept.get(key_of(fact)) != fact or known.get(key_of(fact)) == fact:
                connection.rollback()
                return False
            _put(connection, request_id, fact, event, now=self.now(), gone=known.keys() - kept.keys())
            _write(connection, request_id, tuple(kept.values()), change)
        self._watchers.tell(request_id, change)
        return True

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

    def close(self) -> None:
        """Release the database and end all watching."""
        self._watchers.close()
        self._engine.dispose()


def request_of(event: Event) -> UUID:
    """Tell which request (or ticket) an event is about: its message says so, whatever the envelope has."""
    request = getattr(event.data, "request", event.data)
    found = getattr(request, "request_id", None)
    return found if isinstance(found, UUID) else event.correlationid


def _next_change(connection: Connection) -> int:
    counted = update(CLOCK).where(CLOCK.c.id == 1).values(change=CLOCK.c.change + 1).returning(CLOCK.c.change)
    return int(connection.execute(counted).scalar_one())


def _facts(connection: Connection, request_id: UUID) -> dict[str, Fact]:
    rows = connection.execute(select(EVENTS.c.key, EVENTS.c.fact).where(EVENTS.c.request_id == request_id)).all()
    return dict(zip((row.key for row in rows), read_facts([row.fact for row in rows]), strict=True))


def _put(
    connection: Connection, request_id: UUID, fact: Fact, event: Event, *, now: datetime, gone: Sequence[str] | set[str]
) -> None:
    """Keep a fact with its event, instead of those that it makes superfluous."""
    key = key_of(fact)
    connection.execute(delete(EVENTS).where(EVENTS.c.key.in_([key, *gone])))
    connection.execute(
        insert(EVENTS).values(
            key=key,
            id=event.id,
            request_id=request_id,
            topic=event.topic,
            received=now,
            fact=fact.dump(),
            body=zlib.compress(event.encode(), 1),
        )
    )


def _write(connection: Connection, request_id: UUID, facts: Sequence[Fact], change: int) -> None:
    """Write what the facts of a request say."""
    if all(fact.topic in _ABOUT_NO_REQUEST for fact in facts):
        return
    record = fold(request_id, facts).model_copy(update={"change": change})
    _upsert(connection, request_row(record))
    _write_blocks(connection, record)


def _upsert(connection: Connection, row: dict[str, object]) -> None:
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(REQUESTS).values(row)
    others = {name: value for name, value in row.items() if name != "id"}
    connection.execute(statement.on_conflict_do_update(index_elements=[REQUESTS.c.id], set_=others))


def _write_blocks(connection: Connection, record: RequestRecord) -> None:
    """Write the blocks whose row changes."""
    found = connection.execute(select(BLOCKS).where(BLOCKS.c.request_id == record.id)).mappings()
    have = {row["eb_uid"]: dict(row) for row in found}
    want = block_rows(record)
    outdated = [eb_uid for eb_uid, row in have.items() if want.get(eb_uid) != row]
    if outdated:
        connection.execute(delete(BLOCKS).where(BLOCKS.c.request_id == record.id, BLOCKS.c.eb_uid.in_(outdated)))
    if new := [row for eb_uid, row in want.items() if have.get(eb_uid) != row]:
        connection.execute(insert(BLOCKS), new)

"""Reading the ledger's tables."""

import zlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Engine, Row, and_, func, or_, select

from contracts.envelope import Event
from contracts.messages import DeliveryAnnounced
from services.request_desk.ledger import journal
from services.request_desk.ledger.asking import before, conditions, cursor_of
from services.request_desk.ledger.database import asking, reading
from services.request_desk.ledger.facts import Fact, read_facts
from services.request_desk.ledger.lines import line_of
from services.request_desk.ledger.order import by_cause, key_of
from services.request_desk.ledger.records import (
    Counts,
    DownloadRecord,
    IllegalMove,
    Page,
    RequestFilter,
    RequestPage,
    RequestRecord,
    StuckRequest,
    TimelineEvent,
    UnreadableEvent,
)
from services.request_desk.ledger.states import BlockState, RequestState, Step
from services.request_desk.ledger.stuck import find_stuck, unfinished
from services.request_desk.ledger.tables import BLOCKS, CLOCK, DOWNLOADS, EVENTS, REQUESTS
from services.request_desk.ledger.taking import facts_of
from services.request_desk.ledger.waiting import waiting_since
from shared.errors import RestoreError


class Queries:
    """Answers questions about requests; see `base.Ledger`.

    Parameters
    ----------
    engine
        The database.
    limits
        Seconds that each step may take without going forward.
    now
        Tells the time.
    """

    def __init__(self, *, engine: Engine, limits: Mapping[Step, float], now: Callable[[], datetime]) -> None:
        self._engine = engine
        self._limits = limits
        self._now = now

    def now(self) -> datetime:
        """Return the time that the ledger goes by."""
        return self._now()

    def is_ready(self) -> bool:
        """Whether the database answers."""
        try:
            self.last_change()
        except RestoreError:
            return False
        return True

    def last_change(self) -> int:
        """Return the number of the newest change."""
        with asking(self._engine) as connection:
            return int(connection.execute(select(CLOCK.c.change)).scalar_one())

    def changes(self, since: int, *, limit: int = 1000) -> Sequence[tuple[int, UUID]]:
        """List which requests changed after a change: number and id, each request once, by number."""
        wanted = select(REQUESTS.c.change, REQUESTS.c.id).where(REQUESTS.c.change > since)
        with asking(self._engine) as connection:
            rows = connection.execute(wanted.order_by(REQUESTS.c.change).limit(limit))
            return [(row.change, row.id) for row in rows]

    def request(self, request_id: UUID) -> RequestRecord | None:
        """Return a request, or None if nothing was ever said about it."""
        with asking(self._engine) as connection:
            text = connection.execute(select(REQUESTS.c.record).where(REQUESTS.c.id == request_id)).scalar()
        return None if text is None else RequestRecord.model_validate_json(text)

    def requests(self, wanted: RequestFilter | None = None, page: Page | None = None) -> RequestPage:
        """List requests, the newest submitted first."""
        wanted, page = wanted or RequestFilter(), page or Page()
        where = conditions(wanted)
        if wanted.stuck is not None:
            stuck = [each.request.id for each in self.stuck()]
            where.append(REQUESTS.c.id.in_(stuck) if wanted.stuck else REQUESTS.c.id.not_in(stuck))
        after = [] if page.cursor is None else [before(page.cursor)]
        listed = select(REQUESTS.c.record).where(*where, *after)
        listed = listed.order_by(REQUESTS.c.submitted.desc(), REQUESTS.c.id.desc()).limit(page.size + 1)
        with reading(self._engine) as connection:
            texts = connection.execute(listed).scalars().all()
            total = connection.execute(select(func.count()).select_from(REQUESTS).where(*where)).scalar_one()
        records = tuple(RequestRecord.model_validate_json(text) for text in texts[: page.size])
        more = cursor_of(records[-1]) if len(texts) > page.size else None
        return RequestPage(requests=records, next_cursor=more, total=total)

    def timeline(self, request_id: UUID) -> tuple[TimelineEvent, ...]:
        """Return all events of a request in the order in which they follow from each other."""
        about = select(EVENTS).where(EVENTS.c.request_id == request_id)
        with asking(self._engine) as connection:
            rows = {row.key: row for row in connection.execute(about)}
        record = self.request(request_id)
        illegal = {} if record is None else {move.event_id: move.why for move in record.illegal}
        facts = by_cause(read_facts([row.fact for row in rows.values()]))
        return tuple(_timeline_event(fact, rows[key_of(fact)], illegal.get(fact.id)) for fact in facts)

    def event(self, event_id: UUID) -> Event | None:
        """Return an event as it was said, if it is kept."""
        with asking(self._engine) as connection:
            body = connection.execute(select(EVENTS.c.body).where(EVENTS.c.id == event_id).limit(1)).scalar()
        return None if body is None else Event.decode(zlib.decompress(body))

    def unfinished(self, request_id: UUID) -> tuple[UUID, ...]:
        """List the events of a request that nothing followed yet."""
        record = self.request(request_id)
        if record is None:
            return ()
        with reading(self._engine) as connection:
            return unfinished(record, tuple(facts_of(connection, request_id).values()))

    def counts(self) -> Counts:
        """Count requests and blocks by state and step."""
        with reading(self._engine) as connection:
            requests = _counted(connection, REQUESTS.c.state)
            blocks = _counted(connection, BLOCKS.c.state)
            steps = _counted(connection, REQUESTS.c.step, REQUESTS.c.step.is_not(None))
            oldest = connection.execute(
                select(REQUESTS.c.state, func.min(REQUESTS.c.submitted)).where(REQUESTS.c.active).group_by("state")
            ).all()
            unreadable, missed = len(journal.unreadable(connection)), journal.missed(connection)
            illegal = connection.execute(select(func.coalesce(func.sum(REQUESTS.c.illegal_moves), 0))).scalar_one()
        return Counts(
            requests={RequestState(state): number for state, number in requests.items()},
            blocks={BlockState(state): number for state, number in blocks.items()},
            steps={Step(step): number for step, number in steps.items()},
            oldest={RequestState(state): submitted for state, submitted in oldest},
            stuck=len(self.stuck()),
            illegal_moves=illegal,
            unreadable=unreadable,
            missed=missed,
        )

    def under_way(self) -> dict[str, int]:
        """Count the requests that are under way by whose they are."""
        owner = func.coalesce(REQUESTS.c.owner_account, REQUESTS.c.owner_email)
        active = sorted(state for state in RequestState if state.is_active)
        with asking(self._engine) as connection:
            return _counted(connection, owner, REQUESTS.c.state.in_(active))

    def rates(self, since: datetime) -> dict[str, int]:
        """Count the events that were said since a moment, by topic."""
        with asking(self._engine) as connection:
            return _counted(connection, EVENTS.c.topic, _said_since(since))

    def delivery_seconds(self, since: datetime) -> tuple[float, ...]:
        """Tell how long requests took that were delivered since a moment: the newest thousand, in no order."""
        delivered = func.min(func.coalesce(EVENTS.c.said, EVENTS.c.received))
        newest = (
            select(REQUESTS.c.submitted, delivered)
            .join(EVENTS, EVENTS.c.request_id == REQUESTS.c.id)
            .where(EVENTS.c.topic == DeliveryAnnounced.topic, _said_since(since))
            .group_by(REQUESTS.c.id, REQUESTS.c.submitted)
            .order_by(delivered.desc())
            .limit(1000)
        )
        with asking(self._engine) as connection:
            return tuple((end - begin).total_seconds() for begin, end in connection.execute(newest))

    def stuck(self) -> tuple[StuckRequest, ...]:
        """List the requests for which nothing went forward for longer than their step may take, longest first."""
        now = self.now()
        latest = now - timedelta(seconds=min(self._limits.values()))
        with reading(self._engine) as connection:
            rows = connection.execute(select(REQUESTS.c.record).where(REQUESTS.c.still_since < latest)).scalars()
            records = [RequestRecord.model_validate_json(text) for text in rows]
            stuck = [each for record in records if (each := find_stuck(record, now=now, limits=self._limits))]
            found = [
                each.model_copy(
                    update={
                        "unfinished": unfinished(each.request, tuple(facts_of(connection, each.request.id).values()))
                    }
                )
                for each in stuck
            ]
        return tuple(sorted(found, key=lambda each: each.since))

    def waiting_since(self) -> dict[str, datetime]:
        """Tell when the oldest event was said that waits for each service; nothing of one that none waits for."""
        with reading(self._engine) as connection:
            return waiting_since(connection)

    def illegal_moves(self, limit: int = 100) -> tuple[IllegalMove, ...]:
        """List events that were recorded but not applied, the newest first."""
        wanted = select(REQUESTS.c.record).where(REQUESTS.c.illegal_moves > 0)
        with asking(self._engine) as connection:
            texts = connection.execute(wanted.order_by(REQUESTS.c.change.desc()).limit(limit)).scalars().all()
        moves = [move for text in texts for move in RequestRecord.model_validate_json(text).illegal]
        return tuple(sorted(moves, key=lambda move: move.said, reverse=True)[:limit])

    def unreadable(self) -> tuple[UnreadableEvent, ...]:
        """List what came and could not be taken in, the newest first."""
        with asking(self._engine) as connection:
            return journal.unreadable(connection)

    def downloads(self, request_id: UUID) -> tuple[DownloadRecord, ...]:
        """List the downloads of a request, oldest first."""
        wanted = select(DOWNLOADS.c.record).where(DOWNLOADS.c.request_id == request_id).order_by(DOWNLOADS.c.id)
        with asking(self._engine) as connection:
            return tuple(DownloadRecord.model_validate_json(text) for text in connection.execute(wanted).scalars())


def _counted(connection: Connection, column: ColumnElement[Any], *where: ColumnElement[bool]) -> dict[str, int]:
    counted = select(column, func.count()).where(*where).group_by(column)
    return {str(row[0]): int(row[1]) for row in connection.execute(counted)}


def _said_since(moment: datetime) -> ColumnElement[bool]:
    """Choose events by when they were said: when the ledger heard of them depends on when it was made."""
    return or_(EVENTS.c.said >= moment, and_(EVENTS.c.said.is_(None), EVENTS.c.received >= moment))


def _timeline_event(fact: Fact, row: Row[Any], illegal: str | None) -> TimelineEvent:
    event = Event.decode(zlib.decompress(row.body))
    return TimelineEvent(
        id=fact.id,
        topic=fact.topic,
        source=fact.source,
        said=fact.said,
        received=row.received,
        cause=fact.cause,
        eb_uid=fact.eb_uid,
        text=line_of(fact),
        illegal=illegal,
        data=event.data.model_dump_json(exclude_none=True),
    )

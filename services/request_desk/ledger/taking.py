"""Take events in: keep their facts, and write what all facts of their requests say now."""

import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from uuid import UUID

from sqlalchemy import Connection, Insert, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from contracts.envelope import Event
from services.request_desk.ledger.facts import Fact, fact_of, read_facts
from services.request_desk.ledger.folding import fold
from services.request_desk.ledger.order import condense, key_of
from services.request_desk.ledger.records import RequestRecord
from services.request_desk.ledger.rows import block_rows, request_row
from services.request_desk.ledger.tables import BLOCKS, CLOCK, EVENTS, REQUESTS

_ABOUT_NO_REQUEST = frozenset({"ticket.submitted", "ticket.refused", "mail.sent", "request.waiting", "request.resent"})
"""Topics that alone make no request: they may be about a ticket."""


@dataclass(frozen=True, kw_only=True)
class Written:
    """What changed: the number of the change, and the request as it is now; None of a ticket."""

    change: int
    record: RequestRecord | None


def take_in(
    connection: Connection, events: Sequence[Event], *, now: datetime
) -> tuple[list[bool], dict[UUID, Written]]:
    """Take events in, within a transaction.

    Returns
    -------
    list of bool
        Of each event whether it was new and counts.
    dict of UUID to Written
        What changed, by the request (or ticket).
    """
    of_request: dict[UUID, list[int]] = {}
    for index, event in enumerate(events):
        of_request.setdefault(request_of(event), []).append(index)
    last = _count_changes(connection, len(of_request))
    counts = [False] * len(events)
    changes: dict[UUID, Written] = {}
    for number, (request_id, indices) in enumerate(of_request.items()):
        new, record = _take_in(connection, request_id, [events[i] for i in indices], change=last - number, now=now)
        for i, counted in zip(indices, new, strict=True):
            counts[i] = counted
        if any(new):
            changes[request_id] = Written(change=last - number, record=record)
    return counts, changes


def refold(connection: Connection, request_id: UUID) -> int | None:
    """Write what the facts of a request say now, if it is not what is written; return the number of that change."""
    facts = tuple(facts_of(connection, request_id).values())
    written = connection.execute(select(REQUESTS.c.record).where(REQUESTS.c.id == request_id)).scalar()
    before = None if written is None else RequestRecord.model_validate_json(written)
    now = None if _is_no_request(facts) else fold(request_id, facts)
    if now is None or (before is not None and before == now.model_copy(update={"change": before.change})):
        return None
    change = _count_changes(connection, 1)
    _write(connection, request_id, facts, change)
    return change


def request_of(event: Event) -> UUID:
    """Tell which request (or ticket) an event is about: its message says so, whatever the envelope has."""
    request = getattr(event.data, "request", event.data)
    found = getattr(request, "request_id", None)
    return found if isinstance(found, UUID) else event.correlationid


def facts_of(connection: Connection, request_id: UUID) -> dict[str, Fact]:
    """Return the facts that are kept of a request, by their keys."""
    rows = connection.execute(select(EVENTS.c.key, EVENTS.c.fact).where(EVENTS.c.request_id == request_id)).all()
    return dict(zip((row.key for row in rows), read_facts([row.fact for row in rows]), strict=True))


def _count_changes(connection: Connection, number: int) -> int:
    """Take so many numbers of changes; whoever else writes waits from here on."""
    counted = update(CLOCK).where(CLOCK.c.id == 1).values(change=CLOCK.c.change + number).returning(CLOCK.c.change)
    return int(connection.execute(counted).scalar_one())


def _take_in(
    connection: Connection, request_id: UUID, events: Sequence[Event], *, change: int, now: datetime
) -> tuple[list[bool], RequestRecord | None]:
    """Take in events of one request; tell of each whether it was new and counts, and what follows if any is."""
    known = facts_of(connection, request_id)
    told = [fact_of(event) for event in events]
    kept = condense([*known.values(), *told])
    new = {
        key: event
        for fact, event in zip(told, events, strict=True)
        if kept.get(key := key_of(fact)) == fact != known.get(key)
    }
    record = None
    if new:
        _put(connection, request_id, new, kept, now=now, outdated=known.keys() - (kept.keys() - new.keys()))
        record = _write(connection, request_id, tuple(kept.values()), change)
    return [new.get(key_of(fact)) is event for fact, event in zip(told, events, strict=True)], record


def _put(
    connection: Connection,
    request_id: UUID,
    new: dict[str, Event],
    kept: dict[str, Fact],
    *,
    now: datetime,
    outdated: Collection[str],
) -> None:
    """Keep facts with their events, instead of those that they make superfluous."""
    if outdated:
        connection.execute(delete(EVENTS).where(EVENTS.c.key.in_(outdated)))
    rows = [
        {
            "key": key,
            "id": event.id,
            "request_id": request_id,
            "topic": event.topic,
            "received": now,
            "said": kept[key].said,
            "fact": kept[key].dump(),
            "body": zlib.compress(event.encode(), 1),
        }
        for key, event in new.items()
    ]
    connection.execute(insert(EVENTS), rows)


def _write(connection: Connection, request_id: UUID, facts: Sequence[Fact], change: int) -> RequestRecord | None:
    """Write what the facts of a request say; nothing of what is none."""
    if _is_no_request(facts):
        return None
    record = fold(request_id, facts).model_copy(update={"change": change})
    _upsert(connection, request_row(record))
    _write_blocks(connection, record)
    return record


def _is_no_request(facts: Sequence[Fact]) -> bool:
    return all(fact.topic in _ABOUT_NO_REQUEST for fact in facts)


def _upsert(connection: Connection, row: dict[str, object]) -> None:
    connection.execute(_upsert_for(connection.dialect.name), [row])


@cache
def _upsert_for(database: str) -> Insert:
    """Make the statement that writes a request, once: making it takes longer than running it."""
    statement = (postgresql if database == "postgresql" else sqlite).insert(REQUESTS)
    others = {column.name: statement.excluded[column.name] for column in REQUESTS.c if not column.primary_key}
    upsert: Insert = statement.on_conflict_do_update(index_elements=[REQUESTS.c.id], set_=others)
    return upsert


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

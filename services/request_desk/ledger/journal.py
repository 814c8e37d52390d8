"""What the ledger remembers of the journal: how far it was read, what could not be read, and what is gone."""

import hashlib
from datetime import datetime

from sqlalchemy import Connection, delete, func, insert, select, update

from services.request_desk.ledger.records import UnreadableEvent
from services.request_desk.ledger.tables import MISSED, POSITION, UNREADABLE
from shared.bus.following import Place


def place(connection: Connection) -> Place | None:
    """Return the place of the last event that was taken."""
    found = connection.execute(select(POSITION.c.place, POSITION.c.digest, POSITION.c.digested)).one_or_none()
    if found is None:
        return None
    # A desk of an earlier release moves the place alone.
    return Place(int(found.place), found.digest if found.digested == found.place else None)


def move(connection: Connection, to: Place) -> bool:
    """Remember that all up to a place was taken, unless another process is further already; tell whether it is new."""
    before = place(connection)
    if before is not None and before.offset >= to.offset:
        return False
    moved = {"place": to.offset, "digest": to.digest, "digested": to.offset}
    connection.execute(insert(POSITION).values(id=1, **moved) if before is None else update(POSITION).values(**moved))
    return True


def forget(connection: Connection) -> None:
    """Forget how far the journal was read."""
    connection.execute(delete(POSITION))


def put_unreadable(connection: Connection, body: bytes, reason: str, *, now: datetime) -> None:
    """Keep an event that cannot be taken in; the same bytes once."""
    digest = hashlib.sha256(body).hexdigest()
    connection.execute(delete(UNREADABLE).where(UNREADABLE.c.id == digest))
    connection.execute(insert(UNREADABLE).values(id=digest, received=now, reason=reason, body=body))


def unreadable(connection: Connection) -> tuple[UnreadableEvent, ...]:
    """List what could not be taken in, the newest first."""
    rows = connection.execute(select(UNREADABLE).order_by(UNREADABLE.c.received.desc())).all()
    return tuple(
        UnreadableEvent(key=row.id, received=row.received, reason=row.reason, body=row.body.decode(errors="replace"))
        for row in rows
    )


def put_missed(connection: Connection, first: int, last: int, *, now: datetime) -> None:
    """Note places whose events are gone."""
    connection.execute(delete(MISSED).where(MISSED.c.first == first))
    connection.execute(insert(MISSED).values(first=first, last=last, noticed=now))


def missed(connection: Connection) -> int:
    """Count the events that were gone before they were read."""
    return int(connection.execute(select(func.coalesce(func.sum(MISSED.c.last - MISSED.c.first + 1), 0))).scalar_one())

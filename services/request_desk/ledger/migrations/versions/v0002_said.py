"""Keep when each event was said: a ledger that is made anew later counts and times as the old one did."""

import json
from datetime import datetime

import sqlalchemy as sa
from alembic import op

from services.request_desk.ledger.tables import UtcTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_EVENTS = sa.table("events", sa.column("key", sa.String), sa.column("fact", sa.Text), sa.column("said", UtcTime))
_ROWS = 1000


def upgrade() -> None:
    """Add the time, and draw it from the facts that are there."""
    op.add_column("events", sa.Column("said", UtcTime, nullable=True))
    op.create_index("ix_events_said", "events", ["said"])
    connection, last = op.get_bind(), ""
    while rows := _next(connection, last):
        told = [{"row": row.key, "time": datetime.fromisoformat(json.loads(row.fact)["said"])} for row in rows]
        written = sa.update(_EVENTS).where(_EVENTS.c.key == sa.bindparam("row"))
        connection.execute(written.values(said=sa.bindparam("time", type_=UtcTime)), told)
        last = rows[-1].key


def downgrade() -> None:
    """Remove the time."""
    op.drop_index("ix_events_said", "events")
    op.drop_column("events", "said")


def _next(connection: sa.Connection, last: str) -> list[sa.Row[tuple[str, str]]]:
    wanted = sa.select(_EVENTS.c.key, _EVENTS.c.fact).where(_EVENTS.c.key > last)
    return list(connection.execute(wanted.order_by(_EVENTS.c.key).limit(_ROWS)))

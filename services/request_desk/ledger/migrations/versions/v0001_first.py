"""Make the tables of the first ledger."""

import sqlalchemy as sa
from alembic import op

from services.request_desk.ledger.tables import UtcTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make all tables, and the clock's one row."""
    _make_events()
    _make_requests()
    _make_blocks()
    _make_journal()
    op.create_table(
        "downloads",
        sa.Column("id", sa.Integer, autoincrement=True, nullable=False),
        sa.Column("request_id", sa.Uuid, nullable=False),
        sa.Column("at", UtcTime, nullable=False),
        sa.Column("record", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_downloads"),
    )
    op.create_index("ix_downloads_request_id", "downloads", ["request_id"])
    clock = op.create_table(
        "clock",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("change", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_clock"),
    )
    op.bulk_insert(clock, [{"id": 1, "change": 0}])


def downgrade() -> None:
    """Remove all tables."""
    for table in ("missed", "unreadable", "position", "clock", "downloads", "blocks", "requests", "events"):
        op.drop_table(table)


def _make_events() -> None:
    op.create_table(
        "events",
        sa.Column("key", sa.String(80), nullable=False),
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("request_id", sa.Uuid, nullable=False),
        sa.Column("topic", sa.String(60), nullable=False),
        sa.Column("received", UtcTime, nullable=False),
        sa.Column("fact", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_events"),
    )
    op.create_index("ix_events_id", "events", ["id"])
    op.create_index("ix_events_request_id", "events", ["request_id"])
    op.create_index("ix_events_received", "events", ["received"])


def _make_journal() -> None:
    op.create_table(
        "position",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("place", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_position"),
    )
    op.create_table(
        "unreadable",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("received", UtcTime, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_unreadable"),
    )
    op.create_table(
        "missed",
        sa.Column("first", sa.BigInteger, nullable=False),
        sa.Column("last", sa.BigInteger, nullable=False),
        sa.Column("noticed", UtcTime, nullable=False),
        sa.PrimaryKeyConstraint("first", name="pk_missed"),
    )


def _make_requests() -> None:
    op.create_table(
        "requests",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("change", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("step", sa.String(20)),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("project", sa.String(40)),
        sa.Column("mous", sa.String(60)),
        sa.Column("owner_account", sa.String(200)),
        sa.Column("owner_email", sa.String(254)),
        sa.Column("ticket", sa.String(200)),
        sa.Column("words", sa.Text, nullable=False),
        sa.Column("submitted", UtcTime, nullable=False),
        sa.Column("still_since", UtcTime),
        sa.Column("illegal_moves", sa.Integer, nullable=False),
        sa.Column("record", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_requests"),
    )
    op.create_index("ix_requests_change", "requests", ["change"], unique=True)
    for column in ("project", "mous", "owner_account", "owner_email", "ticket", "still_since"):
        op.create_index(f"ix_requests_{column}", "requests", [column])
    op.create_index("ix_requests_submitted", "requests", ["submitted", "id"])
    op.create_index("ix_requests_state", "requests", ["state", "submitted"])


def _make_blocks() -> None:
    op.create_table(
        "blocks",
        sa.Column("request_id", sa.Uuid, nullable=False),
        sa.Column("eb_uid", sa.String(60), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("step", sa.String(20)),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("request_id", "eb_uid", name="pk_blocks"),
    )
    op.create_index("ix_blocks_state", "blocks", ["state", "active"])

"""The ledger's tables, as the newest migration makes them."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    Uuid,
)


class UtcTime(TypeDecorator[datetime]):
    """A time in UTC; SQLite keeps no zone, so it is taken off there and put on again."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Write a time."""
        if value is None:
            return None
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002 its signature
        """Read a time."""
        if value is None:
            return None
        read: datetime = value
        return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)


METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
    }
)

EVENTS = Table(
    "events",
    METADATA,
    Column("key", String(80), primary_key=True),
    Column("id", Uuid, nullable=False, index=True),
    Column("request_id", Uuid, nullable=False, index=True),
    Column("topic", String(60), nullable=False),
    Column("received", UtcTime, nullable=False, index=True),
    Column("fact", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("said", UtcTime, index=True),
)
"""The facts that are kept, with the events that they were drawn from (JSON, compressed by zlib).

``said`` is null where a desk of an earlier release wrote the row.
"""

REQUESTS = Table(
    "requests",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("change", BigInteger, nullable=False, index=True, unique=True),
    Column("state", String(20), nullable=False),
    Column("step", String(20)),
    Column("active", Boolean, nullable=False),
    Column("project", String(40), index=True),
    Column("mous", String(60), index=True),
    Column("owner_account", String(200), index=True),
    Column("owner_email", String(254), index=True),
    Column("ticket", String(200), index=True),
    Column("words", Text, nullable=False),
    Column("submitted", UtcTime, nullable=False),
    Column("still_since", UtcTime, index=True),
    Column("illegal_moves", Integer, nullable=False),
    Column("record", Text, nullable=False),
)
"""What the facts say of each request: the record as JSON, and what it is looked for by.

``still_since`` is when something last went forward for what lags behind most; null if nothing is to go forward.
``words`` is what a search looks through, in lower case; so is ``owner_email``.
"""
Index("ix_requests_submitted", REQUESTS.c.submitted, REQUESTS.c.id)
Index("ix_requests_state", REQUESTS.c.state, REQUESTS.c.submitted)

BLOCKS = Table(
    "blocks",
    METADATA,
    Column("request_id", Uuid, primary_key=True),
    Column("eb_uid", String(60), primary_key=True),
    Column("state", String(20), nullable=False),
    Column("step", String(20)),
    Column("active", Boolean, nullable=False),
)
"""What the facts say of each execution block, to be counted; ``active`` while its request is."""
Index("ix_blocks_state", BLOCKS.c.state, BLOCKS.c.active)

CLOCK = Table("clock", METADATA, Column("id", Integer, primary_key=True), Column("change", BigInteger, nullable=False))
"""One row: the number of the newest change. Who writes holds it, so that changes become visible in their order."""

POSITION = Table(
    "position",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("place", BigInteger, nullable=False),
    Column("digest", String(64)),
    Column("digested", BigInteger),
)
"""One row, or none: the place in the journal of the last event that was taken, and the digest of its bytes.

``digested`` is the place that the digest is of: a desk of an earlier release moves ``place`` alone.
"""

UNREADABLE = Table(
    "unreadable",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("received", UtcTime, nullable=False),
    Column("reason", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
)
"""Events that this release cannot read or take in, by a digest of their bytes."""

MISSED = Table(
    "missed",
    METADATA,
    Column("first", BigInteger, primary_key=True),
    Column("last", BigInteger, nullable=False),
    Column("noticed", UtcTime, nullable=False),
)
"""Places in the journal whose events were gone before they were read."""

DOWNLOADS = Table(
    "downloads",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("request_id", Uuid, nullable=False, index=True),
    Column("at", UtcTime, nullable=False),
    Column("record", Text, nullable=False),
)
"""Starts of downloads. No event tells them, so a rebuild leaves them as they are."""

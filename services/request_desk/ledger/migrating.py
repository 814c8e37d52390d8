"""Bring the ledger's tables to this release."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from services.request_desk.ledger.database import open_engine, reading, writing
from shared.errors import MisconfiguredError

FOLDER = Path(__file__).parent / "migrations"
"""Where the migrations are."""

_LOCK = 0x616C6D61
"""Names the lock that one holds who migrates on PostgreSQL; any number that nobody else takes."""


@dataclass(frozen=True)
class Migration:
    """From which revision to which the tables were brought; the same twice if there was nothing to do."""

    before: str | None
    after: str


def newest() -> str:
    """Return the newest revision that this release knows."""
    head = ScriptDirectory(str(FOLDER)).get_current_head()
    assert head is not None, "there is a first migration"
    return head


def is_newer(revision: str | None) -> bool:
    """Whether tables of this revision were made by a later release than this one."""
    return revision is not None and revision not in {
        script.revision for script in ScriptDirectory(str(FOLDER)).walk_revisions()
    }


def revision_of(url: str) -> str | None:
    """Return the revision of the tables; None if there are none yet.

    Raises
    ------
    DependencyAwayError, MisconfiguredError
        If the database does not answer, or is none that we can use.
    """
    engine = open_engine(url)
    try:
        with reading(engine) as connection:
            return MigrationContext.configure(connection).get_current_revision()
    finally:
        engine.dispose()


def migrate(url: str) -> Migration:
    """Bring the tables to this release; several processes may do so at once.

    Raises
    ------
    MisconfiguredError
        If the tables are newer than this release.
    """
    with _alone(url) as connection:
        before = MigrationContext.configure(connection).get_current_revision()
        if is_newer(before):
            raise MisconfiguredError(
                f"the ledger's tables are of revision {before}, which this release does not know: "
                f"it knows up to {newest()}. Run the newer release, or this one with "
                "ALMA_RESTORE_REQUEST_DESK_LEDGER_MIGRATE=false"
            )
        config = Config()
        config.set_main_option("script_location", str(FOLDER))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        return Migration(before=before, after=newest())


@contextmanager
def _alone(url: str) -> Iterator[Connection]:
    """Hold a transaction in which nobody else migrates; on SQLite a writer is alone anyway."""
    engine = open_engine(url)
    try:
        with writing(engine) as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:name)"), {"name": _LOCK})
            yield connection
    finally:
        engine.dispose()

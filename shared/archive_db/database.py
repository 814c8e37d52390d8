"""Read the archive's tables, with every failure told in our own errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import local

from sqlalchemy import Connection, Engine, literal, select

from shared import tracing
from shared.archive_db.engine import open_engine
from shared.archive_db.faults import meaning_of
from shared.archive_db.gate import ConnectGate
from shared.archive_db.settings import ArchiveDbSettings
from shared.errors import RestoreError


class ArchiveDatabase:
    """A bounded pool of read-only connections to the archive's metadata database."""

    def __init__(self, *, settings: ArchiveDbSettings) -> None:
        with _told_in_our_errors():
            self._engine = open_engine(settings)
        self.schema_owner = settings.schema_owner
        self._gate = _gate(self._engine, settings)
        self._open = local()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection for a few statements that see one state of the database.

        Within it the same thread gets the same connection again, so that what several parts of a
        question ask is of that one state, too.

        Raises
        ------
        DependencyAwayError
            If the database cannot be reached or does not answer in time.
        MisconfiguredError
            If it refuses our account, or lacks a table or column that we read.
        """
        outer: Connection | None = getattr(self._open, "connection", None)
        if outer is not None:
            with _told_in_our_errors():
                yield outer
            return
        called = tracing.calling("archive database", {"db.system.name": self._engine.dialect.name})
        with called, _told_in_our_errors(), self._gate.connect(self._engine.connect) as connection:
            self._open.connection = connection
            try:
                yield connection
            finally:
                self._open.connection = None

    def is_ready(self) -> bool:
        """Whether the database answers right now."""
        try:
            with self.reading() as connection:
                connection.execute(select(literal(1)))
        except RestoreError:
            return False
        return True

    def close(self) -> None:
        """Release the connections."""
        self._engine.dispose()


def _gate(engine: Engine, settings: ArchiveDbSettings) -> ConnectGate:
    if engine.dialect.name == "sqlite":  # opening a file costs nothing and locks nobody out
        return ConnectGate(pause_away=0.0, pause_refused=0.0)
    return ConnectGate(pause_away=settings.pause_away, pause_refused=settings.pause_refused)


@contextmanager
def _told_in_our_errors() -> Iterator[None]:
    try:
        yield
    except RestoreError:
        raise
    except Exception as error:  # drivers raise what they like: a raw socket.gaierror among others
        meaning = meaning_of(error)
        if meaning is None:
            raise
        raise meaning from error

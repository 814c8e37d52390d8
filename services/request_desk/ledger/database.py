"""Open the ledger's database, SQLite or PostgreSQL, and say its errors as ours."""

import re
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    InterfaceError,
    InvalidatePoolError,
    OperationalError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import ConnectionPoolEntry

from shared import tracing
from shared.errors import DependencyAwayError, MisconfiguredError

_PATIENCE = 10
"""Seconds that a connect, or waiting for another writer, may take."""
_STATEMENT_MS = 30_000
_TRUSTED = 2.0
"""Seconds for which a connection that was used is taken to be one still."""


def open_engine(url: str) -> Engine:
    """Make an engine for a ledger; no connection is opened yet.

    Parameters
    ----------
    url
        ``sqlite:////folder/ledger.db`` or ``postgresql+psycopg://user:password@host/database``.

    Raises
    ------
    MisconfiguredError
        If the database is none that the ledger can use.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise MisconfiguredError(
            "the ledger's URL cannot be read: sqlite:////folder/ledger.db or "
            "postgresql+psycopg://user:password@host/database is wanted"
        ) from error
    if parsed.get_backend_name() == "sqlite":
        return _open_file(parsed)
    if parsed.get_backend_name() == "postgresql":
        return _open_server(parsed)
    raise MisconfiguredError(f"database {parsed.get_backend_name()!r} cannot hold the ledger: use sqlite or postgresql")


def _open_file(url: URL) -> Engine:
    if not url.database or url.database == ":memory:":
        raise MisconfiguredError("the ledger must be a file: write sqlite:////folder/ledger.db")
    try:
        Path(url.database).absolute().parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MisconfiguredError(f"the ledger's folder cannot be made: {error}") from error
    engine = create_engine(
        url, connect_args={"timeout": _PATIENCE, "isolation_level": None}, pool_size=8, max_overflow=24
    )
    event.listen(engine, "connect", _prepare_file)
    event.listen(engine, "begin", _begin_in_file)
    return engine


def _prepare_file(connection: Any, _entry: object) -> None:
    """Let readers read while one writes; a commit is on the disk when it returns."""
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "cache_size=-16000"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_in_file(connection: Connection) -> None:
    """Take the write lock at once where one will write: a reader that begins to write may find itself outdated."""
    how = "IMMEDIATE" if connection.get_execution_options().get("writing") else "DEFERRED"
    connection.exec_driver_sql(f"BEGIN {how}")


def _open_server(url: URL) -> Engine:
    options = f"-c statement_timeout={_STATEMENT_MS} -c timezone=UTC"
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        connect_args={"connect_timeout": _PATIENCE, "options": options},
        pool_size=4,
        max_overflow=12,
        pool_timeout=_PATIENCE,
        pool_recycle=1800,
    )
    event.listen(engine, "checkin", _note_use)
    event.listen(engine, "checkout", partial(_see_that_it_lives, engine))
    return engine


def _note_use(_connection: object, entry: ConnectionPoolEntry) -> None:
    entry.info["used"] = time.monotonic()


def _see_that_it_lives(engine: Engine, connection: DBAPIConnection, entry: ConnectionPoolEntry, _: object) -> None:
    """Ask a connection that was idle whether the server is there; asked each time, a look would take twice as long."""
    if time.monotonic() - entry.info.get("used", time.monotonic()) < _TRUSTED:
        return
    try:
        engine.dialect.do_ping(connection)
    except engine.dialect.loaded_dbapi.Error as error:
        raise InvalidatePoolError from error


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Hold a connection that sees one state of the ledger, however many questions it is asked."""
    with _called("read", engine), explained(), _connected(engine, "REPEATABLE READ") as connection, connection.begin():
        yield connection


@contextmanager
def asking(engine: Engine) -> Iterator[Connection]:
    """Hold a connection for one question: a server is not told of a transaction, which takes longer than the answer."""
    with _called("read", engine), explained(), _connected(engine, "AUTOCOMMIT") as connection:
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Hold a transaction that writes: all of it lasts, or nothing."""
    called = _called("write", engine)
    with called, explained(), engine.connect().execution_options(writing=True) as connection, connection.begin():
        yield connection


def _connected(engine: Engine, isolation: str) -> Connection:
    """Connect; in a file every transaction sees one state, and beginning one costs nothing."""
    connection = engine.connect()
    return connection.execution_options(isolation_level=isolation) if engine.dialect.name != "sqlite" else connection


def _called(what: str, engine: Engine) -> AbstractContextManager[object]:
    return tracing.calling(f"ledger {what}", {"db.system.name": engine.dialect.name})


@contextmanager
def explained() -> Iterator[None]:
    """Say errors of the database as ours, without credentials.

    Raises
    ------
    DependencyAwayError
        If it does not answer: the event waits and is recorded later.
    MisconfiguredError
        If its tables are not there, or it does not let us in.
    """
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeoutError, ProgrammingError, DBAPIError) as error:
        said = str(error.orig if isinstance(error, DBAPIError) else error).strip().splitlines()[0]
        if any(sign in said for sign in _NOT_LET_IN) or _NO_DATABASE.search(said):
            raise MisconfiguredError(
                f"the ledger's database does not let us in: {said}; check ALMA_RESTORE_REQUEST_DESK_LEDGER_URL"
            ) from error
        if any(sign in said for sign in _NOT_MIGRATED):
            raise MisconfiguredError(
                f"the ledger's tables are not those of this release: {said}; run `alma-restore ledger migrate`"
            ) from error
        if isinstance(error, OperationalError | InterfaceError | PoolTimeoutError):
            raise DependencyAwayError(f"the ledger's database is away: {said}") from error
        raise


_NOT_MIGRATED = ("no such table", "no such column", "UndefinedTable", "does not exist")
_NO_DATABASE = re.compile(r'(database|role) "[^"]*" does not exist')
_NOT_LET_IN = ("password authentication", "no pg_hba.conf entry", "not a database", "unable to open database file")

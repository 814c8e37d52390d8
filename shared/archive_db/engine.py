"""Open an engine for the archive's tables: read-only, bounded, with a time limit on connects and statements."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from shared.archive_db.settings import ArchiveDbSettings
from shared.archive_db.watched import watch
from shared.errors import MisconfiguredError


def open_engine(settings: ArchiveDbSettings) -> Engine:
    """Make an engine; no connection is opened yet.

    Raises
    ------
    MisconfiguredError
        If the database is none that the statements are written for.
    """
    url = _with_password(make_url(settings.url.get_secret_value()), settings)
    backend = url.get_backend_name()
    if backend not in _CONNECT_ARGS:
        raise MisconfiguredError(f"database {backend!r} is not supported: use {', '.join(sorted(_CONNECT_ARGS))}")
    engine = _open_file(url, settings) if backend == "sqlite" else _open_server(url, settings)
    if settings.schema_owner is None:
        # Bare names, so that synonyms count: mapped to None they would get the reader's own schema.
        return engine
    return engine.execution_options(schema_translate_map={None: settings.schema_owner})


def _open_file(url: URL, settings: ArchiveDbSettings) -> Engine:
    # Opened anew each time, which is cheap: a connection that is kept would go on reading a file that was replaced.
    engine = create_engine(_read_only_file(url), connect_args=_sqlite_args(settings), poolclass=NullPool)
    event.listen(engine, "begin", _begin_one_state)
    return engine


def _open_server(url: URL, settings: ArchiveDbSettings) -> Engine:
    backend = url.get_backend_name()
    engine = create_engine(
        url,
        connect_args=_CONNECT_ARGS[backend](settings),
        **_OPTIONS.get(backend, {}),
        pool_size=settings.pool_size,
        max_overflow=0,
        pool_timeout=settings.connect_timeout,
        pool_pre_ping=True,
        pool_recycle=1800,
    )
    watch(engine, settings)
    if backend == "oracle":
        _limit_calls(engine, settings)
    event.listen(engine, "begin", _begin_one_state)
    return engine


def _with_password(url: URL, settings: ArchiveDbSettings) -> URL:
    return url if settings.password is None else url.set(password=settings.password.get_secret_value())


def _read_only_file(url: URL) -> URL:
    if not url.database or url.database == ":memory:":
        raise MisconfiguredError("the archive database must be a file: write sqlite:////path/to/archive.db")
    path = quote(str(Path(url.database).absolute()))
    return url.set(database=f"file:{path}", query={"mode": "ro", "uri": "true"})


def _sqlite_args(settings: ArchiveDbSettings) -> dict[str, Any]:
    return {"timeout": settings.statement_timeout}


def _oracle_args(settings: ArchiveDbSettings) -> dict[str, Any]:
    return {"tcp_connect_timeout": settings.connect_timeout, "retry_count": 0}


def _postgresql_args(settings: ArchiveDbSettings) -> dict[str, Any]:
    return {
        "connect_timeout": max(1, round(settings.connect_timeout)),
        "options": f"-c statement_timeout={round(settings.statement_timeout * 1000)}",
    }


_CONNECT_ARGS = {"sqlite": _sqlite_args, "oracle": _oracle_args, "postgresql": _postgresql_args}

_OPTIONS: dict[str, dict[str, Any]] = {
    # No table has a column of it, and it would be asked for where no deadline holds.
    "postgresql": {"use_native_hstore": False}
}


def _limit_calls(engine: Engine, settings: ArchiveDbSettings) -> None:
    def limit(connection: Any, _entry: ConnectionPoolEntry) -> None:
        connection.call_timeout = round(settings.statement_timeout * 1000)

    event.listen(engine, "connect", limit)


_BEGIN = {
    "sqlite": "BEGIN",  # the driver begins before a change alone
    "oracle": "SET TRANSACTION READ ONLY",
    "postgresql": "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
}
"""How a transaction begins that changes nothing and sees one state of the database."""


def _begin_one_state(connection: Connection) -> None:
    connection.exec_driver_sql(_BEGIN[connection.dialect.name])

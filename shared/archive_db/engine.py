"""Open an engine for the archive's tables: read-only, bounded, with a time limit on connects and statements."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import Dialect, ExceptionContext
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from shared.archive_db.settings import ArchiveDbSettings
from shared.archive_db.watchdog import GivenUpError, Watchdog
from shared.errors import MisconfiguredError

_GRACE = 1.0
"""Seconds that a server gets beyond its own limit to say that a statement took too long."""

_MOST_GIVEN_UP = 8
"""Calls that may hang beside those of a full pool."""


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
    return create_engine(_read_only_file(url), connect_args=_sqlite_args(settings), poolclass=NullPool)


def _open_server(url: URL, settings: ArchiveDbSettings) -> Engine:
    backend = url.get_backend_name()
    engine = create_engine(
        url,
        connect_args=_CONNECT_ARGS[backend](settings),
        pool_size=settings.pool_size,
        max_overflow=0,
        pool_timeout=settings.connect_timeout,
        pool_pre_ping=True,
        pool_recycle=1800,
    )
    _watch(engine, settings)
    if backend == "oracle":
        _limit_calls(engine, settings)
    event.listen(engine, "begin", _begin_read_only)
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


def _watch(engine: Engine, settings: ArchiveDbSettings) -> None:
    """Put a deadline on whatever of the driver talks to the server."""
    watchdog = Watchdog(most=settings.pool_size + _MOST_GIVEN_UP)
    _watch_connects(engine, settings, watchdog)  # first: it wants the driver's own way to close
    _watch_calls(engine, settings, watchdog)
    event.listen(engine, "handle_error", _drop_what_was_given_up)
    event.listen(engine, "engine_disposed", lambda _: watchdog.rest())


def _watch_connects(engine: Engine, settings: ArchiveDbSettings, watchdog: Watchdog) -> None:
    limit = settings.connect_timeout
    # The driver's own: nobody waits for it, and it needs no place of its own among the calls that may hang.
    close = engine.dialect.do_close

    def connect(dialect: Dialect, _entry: ConnectionPoolEntry, args: list[Any], kwargs: dict[str, Any]) -> Any:
        return watchdog.run(lambda: dialect.connect(*args, **kwargs), given="connection", timeout=limit, undo=close)

    event.listen(engine, "do_connect", connect)


def _watch_calls(engine: Engine, settings: ArchiveDbSettings, watchdog: Watchdog) -> None:
    """Watch the other calls; SQLAlchemy has events for a part of them alone."""
    limits = {
        **dict.fromkeys(("do_execute", "do_execute_no_params", "do_executemany"), settings.statement_timeout + _GRACE),
        **dict.fromkeys(("do_ping", "do_rollback", "do_commit"), settings.connect_timeout),
        # The connection is of no more use, and a silent server does not even answer a good-bye.
        **dict.fromkeys(("do_close", "do_terminate"), _GRACE),
    }
    for name, limit in limits.items():
        given = name.removeprefix("do_").partition("_")[0]
        run = partial(watchdog.run, given=given, timeout=limit)
        setattr(engine.dialect, name, _watched(getattr(engine.dialect, name), run))


def _watched(method: Callable[..., Any], run: Callable[[Callable[[], Any]], Any]) -> Callable[..., Any]:
    def watched(*args: Any, **kwargs: Any) -> Any:
        return run(lambda: method(*args, **kwargs))

    return watched


def _drop_what_was_given_up(context: ExceptionContext) -> None:
    """Have the pool throw a connection away, without a further word to the server."""
    if isinstance(context.original_exception, GivenUpError):
        context.is_disconnect = True


def _limit_calls(engine: Engine, settings: ArchiveDbSettings) -> None:
    def limit(connection: Any, _entry: ConnectionPoolEntry) -> None:
        connection.call_timeout = round(settings.statement_timeout * 1000)

    event.listen(engine, "connect", limit)


def _begin_read_only(connection: Connection) -> None:
    connection.exec_driver_sql("SET TRANSACTION READ ONLY")

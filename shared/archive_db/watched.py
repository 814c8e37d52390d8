"""Put a deadline on whatever a driver says to its server.

A call that was given up still works in its connection, and a driver is not made for a second thread
in there: a connection that is closed beneath a call has ended the whole process. So it belongs to that
call from then on. The call is woken by an end of its stream, and its own thread closes the connection.
"""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any
from weakref import WeakSet

from sqlalchemy import Engine, event
from sqlalchemy.engine.interfaces import Dialect, ExceptionContext
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from shared.archive_db.settings import ArchiveDbSettings
from shared.archive_db.watchdog import GivenUpError, NotTriedError, Watchdog

_GRACE = 1.0
"""Seconds that a server gets beyond its own limit to say that a statement took too long."""

_MOST_GIVEN_UP = 8
"""Calls that may hang beside those of a full pool."""

_Call = Callable[..., Any]


def watch(engine: Engine, settings: ArchiveDbSettings) -> None:
    """Have each of the driver's calls given up that has no answer in time: with GivenUpError."""
    watchdog = Watchdog(most=settings.pool_size + _MOST_GIVEN_UP)
    # The driver's own: nobody waits for it, and it needs no place of its own among the calls that may hang.
    close = engine.dialect.do_close
    _watch_connects(engine, settings, watchdog, close)
    _watch_calls(engine, settings, watchdog, close)
    event.listen(engine, "handle_error", _drop_what_was_given_up)
    event.listen(engine, "engine_disposed", lambda _: watchdog.rest())


def _watch_connects(engine: Engine, settings: ArchiveDbSettings, watchdog: Watchdog, close: _Call) -> None:
    limit = settings.connect_timeout

    def connect(dialect: Dialect, _entry: ConnectionPoolEntry, args: list[Any], kwargs: dict[str, Any]) -> Any:
        def undo(late: Any) -> None:
            if late is not None:
                close(late)

        return watchdog.run(lambda: dialect.connect(*args, **kwargs), given="connection", timeout=limit, undo=undo)

    event.listen(engine, "do_connect", connect)


def _watch_calls(engine: Engine, settings: ArchiveDbSettings, watchdog: Watchdog, close: _Call) -> None:
    """Watch the other calls; SQLAlchemy has events for a part of them alone."""
    statement, connect = settings.statement_timeout + _GRACE, settings.connect_timeout
    calls = _Calls(close)
    for given, limit, watched, names in (
        ("execute", statement, calls.watched, ("do_execute", "do_execute_no_params", "do_executemany")),
        ("ping", connect, calls.watched, ("do_ping",)),
        ("rollback", connect, calls.watched, ("do_rollback",)),
        ("commit", connect, calls.watched, ("do_commit",)),
        ("isolation level", connect, calls.watched, ("get_default_isolation_level",)),  # at the first connect alone
        # The connection is of no more use, and a silent server does not even answer a good-bye.
        ("close", _GRACE, calls.closing, ("do_close", "do_terminate")),
    ):
        run = partial(watchdog.run, given=given, timeout=limit)
        for name in names:
            setattr(engine.dialect, name, partial(watched, run, getattr(engine.dialect, name)))


class _Calls:
    """A dialect's calls, each with a connection or one of its cursors as the first argument."""

    def __init__(self, close: _Call) -> None:
        self._close = close
        self._given_up: WeakSet[Any] = WeakSet()

    def watched(self, run: _Call, method: _Call, subject: Any, *args: Any, **kwargs: Any) -> Any:
        connection = _connection_of(subject)
        with _stream_of(connection) as stream:
            try:
                return run(lambda: method(subject, *args, **kwargs), undo=lambda _: self._close(connection))
            except NotTriedError:
                raise
            except GivenUpError:
                self._given_up.add(connection)
                if stream is not None:
                    with suppress(OSError):  # not connected any more: the call knows by itself
                        stream.shutdown(socket.SHUT_RDWR)
                raise

    def closing(self, run: _Call, method: _Call, connection: Any) -> None:
        if connection not in self._given_up:
            run(lambda: method(connection))


def _connection_of(subject: Any) -> Any:
    """Return the driver's connection of a cursor or of what stands for a connection in the pool."""
    if isinstance(subject, PoolProxiedConnection):
        return subject.dbapi_connection
    return getattr(subject, "connection", subject)


@contextmanager
def _stream_of(connection: Any) -> Iterator[socket.socket | None]:
    """Hold a connection's stream by a descriptor of our own, which stays valid whatever the driver closes.

    The driver of Oracle shows none: there ``call_timeout`` ends a call.
    """
    try:
        descriptor = os.dup(connection.fileno())
    except Exception:  # no stream, or it is closed already, which each driver says by an error of its own
        yield None
        return
    with socket.socket(fileno=descriptor) as stream:
        yield stream


def _drop_what_was_given_up(context: ExceptionContext) -> None:
    """Have the pool throw a connection away, without a further word to the server."""
    if isinstance(context.original_exception, GivenUpError):
        context.is_disconnect = True

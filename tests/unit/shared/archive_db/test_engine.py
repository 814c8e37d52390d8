import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Event as Flag
from threading import get_ident
from typing import Any, Self

import pytest
from sqlalchemy import Connection, Engine, select, text

from shared.archive_db import ArchiveDatabase, ArchiveDbSettings
from shared.archive_db.engine import open_engine
from shared.archive_db.tables import ACCOUNT, METADATA
from shared.archive_db.watchdog import GivenUpError
from shared.errors import DependencyAwayError, MisconfiguredError, RestoreError
from tests.support.archive_tables import ArchiveTables, oracle_sql
from tests.support.ports import free_ports


@pytest.fixture
def silent_listener() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", free_ports(1)[0])) as server:
        yield server.getsockname()[1]


def oracle_at(port: int, **more: object) -> ArchiveDatabase:
    url = f"oracle+oracledb://reader@127.0.0.1:{port}/?service_name=ALMA"
    return ArchiveDatabase(settings=ArchiveDbSettings.model_validate({"url": url, "password": "x", **more}))


def test_the_tables_are_read(tables: ArchiveTables) -> None:
    database = tables.open()
    assert database.is_ready()
    with database.reading() as connection:
        assert len(connection.execute(select(ACCOUNT.c.ACCOUNT_ID)).all()) == 3
    database.close()


def test_the_tables_cannot_be_written(tables: ArchiveTables) -> None:
    database = tables.open()
    with pytest.raises(DependencyAwayError, match="readonly"), database.reading() as connection:
        connection.execute(ACCOUNT.insert().values(ACCOUNT_ID="intruder"))
    database.close()


def test_the_schema_owner_stands_before_every_table() -> None:
    for table in METADATA.sorted_tables:
        assert f'FROM "ALMA"."{table.name}"' in oracle_sql(select(table), owner="ALMA")
        assert f'FROM "{table.name}"' in oracle_sql(select(table))


def test_the_owner_is_taken_from_the_settings(tmp_path: Path) -> None:
    settings = ArchiveDbSettings.model_validate({"url": f"sqlite:///{tmp_path}/x.db", "schema_owner": "ALMA"})
    engine = open_engine(settings)
    assert engine.get_execution_options()["schema_translate_map"] == {None: "ALMA"}
    engine.dispose()


def test_a_database_in_memory_and_an_unknown_one_are_refused() -> None:
    for url in ("sqlite://", "mysql+pymysql://reader@localhost/alma"):
        with pytest.raises(MisconfiguredError):
            ArchiveDatabase(settings=ArchiveDbSettings.model_validate({"url": url}))


def test_the_password_is_not_shown() -> None:
    settings = ArchiveDbSettings.model_validate({"url": "oracle+oracledb://reader:geheim@h/", "password": "geheim"})
    assert "geheim" not in repr(settings)


def test_the_real_driver_at_a_dead_port_means_try_later() -> None:
    database = oracle_at(free_ports(1)[0])
    with pytest.raises(DependencyAwayError, match="DPY-6005"), database.reading():
        pass
    database.close()


def test_a_listener_that_stays_silent_is_given_up_in_time(silent_listener: int) -> None:
    database = oracle_at(silent_listener, connect_timeout=0.3)
    started = time.monotonic()
    with pytest.raises(DependencyAwayError, match=r"no connection within 0\.3 s"), database.reading():
        pass
    assert time.monotonic() - started < 3
    assert not database.is_ready()
    database.close()


class HangingOracle:
    """A connection of the driver, or its cursor, to a server that has fallen silent."""

    def __init__(self) -> None:
        self.go_on = Flag()

    def _hang(self, *_: object, **__: object) -> None:
        self.go_on.wait(20)

    ping = execute = rollback = close = _hang

    def cursor(self) -> Self:
        return self


def test_of_oracle_too_nothing_that_hangs_is_waited_for() -> None:
    url = "oracle+oracledb://reader@127.0.0.1:1/?service_name=ALMA"
    limits = {"connect_timeout": 0.1, "statement_timeout": 0.1}
    engine = open_engine(ArchiveDbSettings.model_validate({"url": url, **limits}))
    calls: dict[str, Callable[[Any], object]] = {
        "ping": engine.dialect.do_ping,
        "execute": lambda silent: engine.dialect.do_execute(silent, "SELECT 1 FROM DUAL", ()),
        "rollback": engine.dialect.do_rollback,
        "close": engine.dialect.do_close,
    }
    started = time.monotonic()
    for name, call in calls.items():
        silent = HangingOracle()
        with pytest.raises(GivenUpError, match=f"gave no {name}"):
            call(silent)
        silent.go_on.set()
    assert time.monotonic() - started < 5


class SilentPostgresql:
    """A connection of the driver, or its cursor, to a server that has fallen silent: it hangs in its socket."""

    def __init__(self) -> None:
        self._ours, self._servers = socket.socketpair()
        self.ended, self.closed_by = Flag(), list[int]()
        self.hung_in = 0

    def fileno(self) -> int:
        return self._ours.fileno()

    def execute(self, *_: object) -> None:
        self.hung_in = get_ident()
        self._ours.settimeout(20)
        assert self._ours.recv(1) == b""
        raise OSError("server closed the connection unexpectedly")

    def close(self) -> None:
        self.closed_by.append(get_ident())
        self._ours.close()
        self._servers.close()
        self.ended.set()

    @property
    def connection(self) -> Self:
        return self


def postgresql_engine(**limits: float) -> Engine:
    url = "postgresql+psycopg://reader@127.0.0.1:1/alma"
    return open_engine(ArchiveDbSettings.model_validate({"url": url, **limits}))


def test_a_call_that_was_given_up_is_woken_and_its_own_thread_closes_the_connection() -> None:
    dialect = postgresql_engine(statement_timeout=0.1).dialect
    silent: Any = SilentPostgresql()
    with pytest.raises(GivenUpError, match="gave no execute"):
        dialect.do_execute(silent, "SELECT 1", ())
    dialect.do_terminate(silent)
    dialect.do_close(silent)
    assert silent.ended.wait(5)
    assert silent.closed_by == [silent.hung_in]


def test_a_connection_whose_call_was_not_even_tried_is_closed_like_any_other() -> None:
    engine = postgresql_engine(statement_timeout=0.1, pool_size=1)
    go_on, idle = Flag(), SilentPostgresql()
    hanging: list[Any] = [HangingOracle() for _ in range(1 + 8)]
    for one in hanging:
        one.go_on = go_on

    def hang(connection: Any) -> None:
        with pytest.raises(GivenUpError, match="gave no execute"):
            engine.dialect.do_execute(connection, "SELECT 1", ())

    with ThreadPoolExecutor(len(hanging)) as callers:
        list(callers.map(hang, hanging))
    with pytest.raises(GivenUpError, match="no execute is tried"):
        engine.dialect.do_execute(idle, "SELECT 1", ())  # type: ignore[arg-type]  # what of it is used
    go_on.set()
    until = time.monotonic() + 5
    while not idle.ended.is_set():
        assert time.monotonic() < until
        with suppress(GivenUpError):
            engine.dialect.do_close(idle)  # type: ignore[arg-type]  # what of it is used


def test_a_connection_that_comes_too_late_is_closed_by_the_thread_that_made_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A further call of the watchdog would find no place while others hang."""
    late, closed, threads = Flag(), Flag(), list[int]()

    class Connection:
        def close(self) -> None:
            threads.append(get_ident())
            closed.set()

    def connect(*_: Any, **__: Any) -> Connection:
        late.wait(10)
        threads.append(get_ident())
        return Connection()

    settings = {"url": "postgresql+psycopg://reader@127.0.0.1:1/alma", "connect_timeout": 0.05}
    engine = open_engine(ArchiveDbSettings.model_validate(settings))
    monkeypatch.setattr(engine.dialect, "connect", connect)
    with pytest.raises(GivenUpError):
        engine.connect()
    late.set()
    assert closed.wait(5)
    assert len(set(threads)) == 1
    engine.dispose()


def test_a_reading_within_a_reading_is_of_the_same_state_and_another_threads_is_not(tables: ArchiveTables) -> None:
    database = tables.open()
    with database.reading() as outer:
        with database.reading() as inner:
            assert inner is outer
        assert len(outer.execute(select(ACCOUNT.c.ACCOUNT_ID)).all()) == 3, "the inner one has closed nothing"
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(lambda: _connection(database)).result() is not outer
    with pytest.raises(RestoreError), database.reading() as failed:
        failed.execute(text("SELECT nonsense"))
    with database.reading() as later:
        assert later is not outer
        assert later is not failed
    database.close()


def _connection(database: ArchiveDatabase) -> Connection:
    with database.reading() as connection:
        return connection

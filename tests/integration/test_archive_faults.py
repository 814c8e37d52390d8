"""What the real drivers raise when a database is away, slow or refuses us, and what we make of it."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from sqlalchemy import text

from shared.archive_db import ArchiveDatabase, ArchiveDbSettings
from shared.errors import DependencyAwayError, MisconfiguredError, RestoreError
from tests.support.oracle_listener import OracleListener
from tests.support.postgresql import PostgresServer, PostgresTables


def oracle_at(port: int) -> ArchiveDatabase:
    url = f"oracle+oracledb://reader@127.0.0.1:{port}/?service_name=ALMA"
    return ArchiveDatabase(settings=ArchiveDbSettings.model_validate({"url": url, "password": "wrong"}))


def error_of(database: ArchiveDatabase) -> RestoreError:
    with pytest.raises(RestoreError) as raised, database.reading() as connection:
        connection.execute(text("SELECT 1"))
    return raised.value


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (1034, "ORACLE not available"),
        (1033, "ORACLE initialization or shutdown in progress"),
        (12514, "TNS:listener does not currently know of service requested"),
        (12528, "TNS:listener: all appropriate instances are blocking new connections"),
        (18, "maximum number of sessions exceeded"),
        (20, "maximum number of processes exceeded"),
    ],
)
def test_oracles_absence_means_try_later(code: int, words: str) -> None:
    with OracleListener(code, words) as listener:
        database = oracle_at(listener.port)
        error = error_of(database)
        database.close()
    assert isinstance(error, DependencyAwayError)
    assert f"ORA-{code:05d}" in str(error)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (1017, "invalid username/password; logon denied"),
        (28000, "The account is locked."),
        (28001, "the password has expired"),
        (1045, "user READER lacks CREATE SESSION privilege; logon denied"),
    ],
)
def test_a_login_that_oracle_refuses_is_an_operators_matter_and_is_not_tried_again_at_once(
    code: int, words: str
) -> None:
    with OracleListener(code, words) as listener:
        database = oracle_at(listener.port)
        errors = [error_of(database) for _ in range(5)]
        ready = database.is_ready()
        database.close()
        assert listener.logins == 1
    assert not ready
    assert all(isinstance(error, MisconfiguredError) and f"ORA-{code:05d}" in str(error) for error in errors)
    assert "asked again in" in str(errors[-1])


@pytest.mark.parametrize("code", [12514, 12505, 12516, 12528])
def test_a_listener_that_refuses_means_try_later(code: int) -> None:
    with OracleListener(code, "", refuse=True) as listener:
        database = oracle_at(listener.port)
        assert isinstance(error_of(database), DependencyAwayError)
        database.close()


def test_a_password_that_postgresql_refuses_is_an_operators_matter(postgres_tables: PostgresTables) -> None:
    database = ArchiveDatabase(settings=postgres_tables.settings(password="wrong"))
    error = error_of(database)
    assert isinstance(error, MisconfiguredError)
    assert "asked again in" in str(error_of(database))
    database.close()


def test_a_statement_that_takes_too_long_means_try_later(postgres_tables: PostgresTables) -> None:
    database = ArchiveDatabase(settings=postgres_tables.settings(statement_timeout=0.2))
    started = time.monotonic()
    with pytest.raises(DependencyAwayError, match="statement timeout"), database.reading() as connection:
        connection.execute(text("SELECT pg_sleep(30)"))
    assert time.monotonic() - started < 5
    database.close()


@contextmanager
def reading_beside(database: ArchiveDatabase) -> Iterator[None]:
    """Read in a thread of its own: within one there is one connection, however often it is asked for."""
    with ThreadPoolExecutor(1) as thread:
        reading = database.reading()
        thread.submit(reading.__enter__).result()
        try:
            yield
        finally:
            thread.submit(reading.__exit__, None, None, None).result()


def test_no_more_connections_are_opened_than_the_pool_may_hold(postgres_tables: PostgresTables) -> None:
    database = ArchiveDatabase(settings=postgres_tables.settings(pool_size=2, connect_timeout=2))
    opened = text("SELECT count(*) FROM pg_stat_activity WHERE usename = current_user AND datname = current_database()")
    with database.reading() as first, reading_beside(database):
        assert first.execute(opened).scalar() == 2
        with pytest.raises(DependencyAwayError, match="QueuePool"), reading_beside(database):
            pass
    with database.reading() as connection:  # a pool that was used up is no database that is away
        assert connection.execute(opened).scalar() == 2
    database.close()


def test_a_database_that_ends_and_comes_back_is_used_again(
    postgres_tables: PostgresTables, postgres_server: PostgresServer
) -> None:
    database = ArchiveDatabase(settings=postgres_tables.settings(pause_away=0.1))
    assert database.is_ready()
    postgres_server.stop()
    try:
        assert isinstance(error_of(database), DependencyAwayError)
        assert not database.is_ready()
    finally:
        postgres_server.start()
    until = time.monotonic() + 5
    while not database.is_ready():
        assert time.monotonic() < until
        time.sleep(0.05)
    database.close()


def test_a_pooled_connection_that_the_database_ended_is_replaced_unnoticed(postgres_tables: PostgresTables) -> None:
    database = ArchiveDatabase(settings=postgres_tables.settings())

    with database.reading() as connection:
        end_it = text(f"SELECT pg_terminate_backend({connection.execute(text('SELECT pg_backend_pid()')).scalar()})")
    postgres_tables.change(lambda connection: connection.execute(end_it))
    assert database.is_ready()
    database.close()

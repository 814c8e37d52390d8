"""Every statement runs on SQLite and on PostgreSQL with the same rows, and is one that Oracle takes."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from inspect import getmembers, isfunction, unwrap
from typing import Any

import pytest
from sqlalchemy import Alias, ClauseElement, Column, Executable, Table, true, update
from sqlalchemy.sql import visitors

from observatory.metadata import set_release_date, set_state
from observatory.metadata_demo import CORRUPTED, MOUSS, PROPRIETARY
from services.metadata_resolver.records import ArchiveRecords as StructureRecords
from shared.archive_db import ArchiveDatabase
from shared.archive_db.schema import READ, check_schema, columns_read
from shared.archive_db.tables import ACCOUNT
from shared.entitlement.records import ArchiveRecords as EntitlementRecords
from shared.errors import MisconfiguredError
from tests.support.archive_statements import MODULES, STATEMENTS
from tests.support.archive_tables import ArchiveTables, FilledTables
from tests.support.oracle_syntax import check_oracle
from tests.support.postgresql import PostgresServer, PostgresTables
from tests.support.samples import REQUEST


def fill(tables: FilledTables) -> None:
    tables.fill()
    tables.change(lambda connection: set_state(connection, CORRUPTED.uid, "QA3InProgress"))
    tables.change(lambda connection: set_release_date(connection, CORRUPTED, PROPRIETARY))


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FilledTables]:
    tables = ArchiveTables(tmp_path_factory.mktemp("archive"))
    fill(tables)
    yield tables
    tables.close()


@pytest.fixture(scope="module")
def postgresql(postgres_server: PostgresServer) -> Iterator[PostgresTables]:
    tables = PostgresTables(postgres_server)
    fill(tables)
    yield tables
    tables.close()


def rows(tables: FilledTables, statement: ClauseElement) -> list[tuple[Any, ...]]:
    assert isinstance(statement, Executable)
    database = tables.open()
    try:
        with database.reading() as connection:
            return [tuple(row) for row in connection.execute(statement)]
    finally:
        database.close()


def test_no_statement_is_left_out() -> None:
    named = {name.split(" ")[0] for name in STATEMENTS}
    written = {
        f"{folder}.{name}"
        for folder, module in MODULES.items()
        for name, function in getmembers(module, callable)
        if isfunction(unwrap(function)) and function.__module__ == module.__name__ and not name.startswith("_")
    }
    assert named == written


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_statement_gives_the_same_rows_on_both_databases(
    name: str, sqlite: FilledTables, postgresql: PostgresTables
) -> None:
    found = rows(sqlite, STATEMENTS[name])
    assert found
    assert sorted(map(repr, rows(postgresql, STATEMENTS[name]))) == sorted(map(repr, found))


@pytest.mark.parametrize("name", [name for name in STATEMENTS if name != "structure.product_dates"])
def test_a_statement_is_oracles_with_its_values_bound(name: str) -> None:
    check_oracle(STATEMENTS[name])


def test_facts_and_structures_of_all_mouss_are_the_same_on_both_databases(
    sqlite: FilledTables, postgresql: PostgresTables
) -> None:
    databases = [sqlite.open(), postgresql.open()]
    for mous in MOUSS:
        request = REQUEST.model_copy(update={"mous_uid": mous.uid, "project_code": mous.project.code})
        facts = [EntitlementRecords(database=database).mous(mous.uid) for database in databases]
        people = [EntitlementRecords(database=database).person(request) for database in databases]
        structures = [StructureRecords(database=database).read(mous.uid) for database in databases]
        assert facts[0] is not None
        assert (facts[0], people[0], structures[0]) == (facts[1], people[1], structures[1])
    for database in databases:
        database.close()


def test_an_account_that_may_write_cannot_do_so_through_us(postgresql: PostgresTables) -> None:
    database = ArchiveDatabase(settings=postgresql.settings(user="owner"))
    with pytest.raises(MisconfiguredError, match="read-only transaction"), database.reading() as connection:
        connection.execute(update(ACCOUNT).where(true()).values(ACTIVE="F"))
    database.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_what_is_asked_together_is_of_one_state(kind: str, request: pytest.FixtureRequest) -> None:
    tables: FilledTables = request.getfixturevalue(kind)
    database = tables.open()
    records = EntitlementRecords(database=database)

    def state() -> object:
        facts = records.mous(MOUSS[0].uid)
        return facts and facts.state

    with ThreadPoolExecutor(1) as writer:
        with database.reading():
            before = state()
            change = writer.submit(tables.change, lambda connection: set_state(connection, MOUSS[0].uid, "Manual"))
            wait([change], timeout=1)  # a file's writer has to wait for its readers
            assert state() == before
        change.result(timeout=20)
        assert state() != before
        tables.change(lambda connection: set_state(connection, MOUSS[0].uid, str(before)))
    database.close()


def test_the_schema_check_knows_every_column_that_a_statement_names() -> None:
    named: dict[str, set[str]] = {}
    for statement in STATEMENTS.values():
        for part in visitors.iterate(statement):
            if isinstance(part, Column) and isinstance(part.table, Table | Alias):
                table = part.table.element if isinstance(part.table, Alias) else part.table
                named.setdefault(str(table), set()).add(part.name)
    checked = {table.name: set(names.split()) for table, names in READ.items()}
    assert named == checked


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_the_schema_check_finds_nothing_wrong_in_the_demos_tables(
    kind: str, sqlite: FilledTables, postgresql: PostgresTables
) -> None:
    database = {"sqlite": sqlite, "postgresql": postgresql}[kind].open()
    assert check_schema(database, columns_read(delivery_column="DELIVERY_NAME", own_delegees=True)) == []
    database.close()


def test_the_schema_check_tells_what_is_missing_of_another_type_or_not_granted(
    postgres_server: PostgresServer,
) -> None:
    tables = PostgresTables(postgres_server)
    tables.fill()
    for change in (
        'ALTER TABLE "ASA_PRODUCT_FILES" RENAME COLUMN "ASA_OUS_ID" TO "ASA_MOUS_UID"',
        'ALTER TABLE "AQUA_SESSION" ALTER COLUMN "ENDTIME" TYPE double precision USING 1.0',
        """UPDATE "ASA_DELIVERY_STATUS" SET "DELIVERY_NAME" = 'Delivery ' || "ID" """,
        'REVOKE SELECT ON "ACCOUNT" FROM reader',
        'DROP TABLE "STATE_CHANGES"',
        'DROP TABLE "PROJECT_DELEGEE"',
    ):
        tables.change(lambda connection, change=change: connection.exec_driver_sql(change))  # type: ignore[misc]  # mypy does not see the type of a default
    database = tables.open()
    found = check_schema(database, columns_read(delivery_column="DELIVERY_NAME", own_delegees=False))
    database.close()
    tables.close()
    told = {(difference.table, difference.column): difference for difference in found}
    assert set(told) == {
        ("ASA_PRODUCT_FILES", "ASA_OUS_ID"),
        ("AQUA_SESSION", "ENDTIME"),
        ("ASA_DELIVERY_STATUS", "DELIVERY_NAME"),
        ("ACCOUNT", ""),
        ("STATE_CHANGES", ""),
    }
    assert "ASA_MOUS_UID" in told["ASA_PRODUCT_FILES", "ASA_OUS_ID"].advice
    assert (told["AQUA_SESSION", "ENDTIME"].expected, told["AQUA_SESSION", "ENDTIME"].found[:6]) == ("date", "number")
    assert "permission denied" in told["ACCOUNT", ""].found
    assert told["STATE_CHANGES", ""].found == "none"
    assert "DELIVERY_COLUMN" in told["ASA_DELIVERY_STATUS", "DELIVERY_NAME"].advice

"""Every statement runs on SQLite and on PostgreSQL with the same rows, and is one that Oracle takes."""

from collections.abc import Iterator
from inspect import getmembers, isfunction
from typing import Any

import pytest
from sqlalchemy import ClauseElement, Executable, true, update

from observatory.metadata_demo import MOUSS
from services.entitlement_checker.records import ArchiveRecords as EntitlementRecords
from services.metadata_resolver.records import ArchiveRecords as StructureRecords
from shared.archive_db import ArchiveDatabase
from shared.archive_db.tables import ACCOUNT
from shared.errors import MisconfiguredError
from tests.support.archive_statements import MODULES, STATEMENTS
from tests.support.archive_tables import ArchiveTables, FilledTables
from tests.support.oracle_syntax import check_oracle
from tests.support.postgresql import PostgresServer, PostgresTables
from tests.support.samples import REQUEST


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FilledTables]:
    tables = ArchiveTables(tmp_path_factory.mktemp("archive"))
    tables.fill()
    yield tables
    tables.close()


@pytest.fixture(scope="module")
def postgresql(postgres_server: PostgresServer) -> Iterator[PostgresTables]:
    tables = PostgresTables(postgres_server)
    tables.fill()
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
        for name, function in getmembers(module, isfunction)
        if function.__module__ == module.__name__ and not name.startswith("_")
    }
    assert named == written


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_statement_gives_the_same_rows_on_both_databases(
    name: str, sqlite: FilledTables, postgresql: PostgresTables
) -> None:
    found = rows(sqlite, STATEMENTS[name])
    assert found
    assert rows(postgresql, STATEMENTS[name]) == found


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

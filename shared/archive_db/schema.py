"""Check a live database against what is read of it: tables, columns, types, and whether values look as they should."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Column, Connection, Table, false, inspect, select
from sqlalchemy.engine.interfaces import ReflectedColumn
from sqlalchemy.exc import NoSuchTableError
from sqlalchemy.types import Date, DateTime, Float, Integer, Numeric, String, TypeEngine

from shared.archive_db import tables
from shared.archive_db.database import ArchiveDatabase
from shared.errors import DependencyAwayError, RestoreError

READ = {
    tables.ASA_SCIENCE: "MEMBER_OUSS_ID SCHEDBLOCK_NAME",
    tables.ASA_PRODUCT_FILES: "ASA_OUS_ID NGAS_FILE_ID STORED_SIZE",
    tables.ASA_DELIVERY_STATUS: "RELEASE_DATE ORIGINAL_RELEASE_DATE DELIVERY_NAME DELIVERY_ID",
    tables.OBS_UNIT_SET_STATUS: "STATUS_ENTITY_ID DOMAIN_ENTITY_ID DOMAIN_ENTITY_STATE PARENT_OBS_UNIT_SET_STATUS_ID "
    "OBS_PROJECT_STATUS_ID OBS_PROJECT_ID XML",
    tables.SCHED_BLOCK_STATUS: "STATUS_ENTITY_ID DOMAIN_ENTITY_ID PARENT_OBS_UNIT_SET_STATUS_ID",
    tables.AQUA_OUS: "OUS_STATUS_ENTITY_ID OBSUNITSETUID OBSUNITSETPARTID",
    tables.AQUA_V_EXECBLOCK: "EXECBLOCKUID SCHEDBLOCKUID SESSIONID QA0STATUS STARTTIME ENDTIME",
    tables.AQUA_SESSION: "SESSIONID ENDTIME",
    tables.BMMV_OBSPROJECT: "PRJ_ARCHIVE_UID CODE",
    tables.BMMV_OBSPROPOSAL: "PROJECTUID PI_USERID",
    tables.BMMV_OBSUNITSET: "ARCHIVE_UID PARTID NAME",
    tables.ACCOUNT: "ACCOUNT_ID EMAIL ACTIVE",
    tables.PROJECT_DELEGEE: "PROJECT_CODE ACCOUNT_ID DELEGATION_TYPE",
    tables.STATE_CHANGES: "STATE_CHANGES_ID STATUS_ENTITY_ID ENTITY_TYPE",
}
"""Columns that statements name, by table."""

_LOOKS = {
    tables.ASA_PRODUCT_FILES.c.ASA_OUS_ID: r"uid://A[0-9a-f]{3}/X[0-9a-f]+/X[0-9a-f]+",
    tables.OBS_UNIT_SET_STATUS.c.STATUS_ENTITY_ID: r"uid://A[0-9a-f]{3}/X[0-9a-f]+/X[0-9a-f]+",
    tables.ASA_DELIVERY_STATUS.c.DELIVERY_NAME: r"\d{4}\.\w\.\d{5}\.[A-Z]+_uid___A[0-9a-f]{3}_X[0-9a-f]+_X[0-9a-f]+",
    tables.ASA_DELIVERY_STATUS.c.DELIVERY_ID: r"\d{4}\.\w\.\d{5}\.[A-Z]+_uid___A[0-9a-f]{3}_X[0-9a-f]+_X[0-9a-f]+",
    tables.BMMV_OBSPROJECT.c.CODE: r"\d{4}\.\w\.\d{5}\.[A-Z]+",
    tables.AQUA_V_EXECBLOCK.c.QA0STATUS: r"Pass|SemiPass|Unset|Pending|Fail",
    tables.ACCOUNT.c.ACTIVE: r"[TF]",
}
"""How values look; of a few rows at least one has to."""
_SAMPLE = 50


@dataclass(frozen=True)
class Difference:
    """Something in the live database that is not as it is read."""

    table: str
    column: str
    expected: str
    found: str
    advice: str


def columns_read(
    *, delivery_column: Literal["DELIVERY_NAME", "DELIVERY_ID"], own_delegees: bool
) -> dict[Table, tuple[Column[object], ...]]:
    """List all columns that the statements name.

    Parameters
    ----------
    delivery_column
        Which of the two columns of deliveries is used; the other may be missing.
    own_delegees
        Whether our own table of delegees is read, or the site's query instead.
    """
    unused = {"DELIVERY_NAME", "DELIVERY_ID"} - {delivery_column}
    return {
        table: tuple(table.c[name] for name in names.split() if name not in unused)
        for table, names in READ.items()
        if own_delegees or table is not tables.PROJECT_DELEGEE
    }


def columns_of(wanted: Iterable[Table]) -> dict[Table, tuple[Column[object], ...]]:
    """List the columns that statements name of some of the tables."""
    return {table: tuple(table.c[name] for name in READ[table].split()) for table in wanted}


def check_schema(database: ArchiveDatabase, expected: dict[Table, tuple[Column[object], ...]]) -> Sequence[Difference]:
    """Compare the live database with what is read of it, a table at a time.

    Raises
    ------
    DependencyAwayError
        If the database cannot be reached.
    """
    return [difference for table, columns in expected.items() for difference in _check(database, table, columns)]


def _check(database: ArchiveDatabase, table: Table, columns: Sequence[Column[object]]) -> Iterator[Difference]:
    with database.reading() as connection:
        found = _columns(connection, table.name, database.schema_owner)
    if found is None:
        advice = "make a synonym, grant SELECT, or set ALMA_RESTORE_ARCHIVE_DB_SCHEMA_OWNER"
        yield Difference(table.name, "", "a table", "none", advice)
        return
    differences = [difference for column in columns if (difference := _compare(column, found)) is not None]
    yield from differences or _try(database, table, columns)


def _columns(connection: Connection, name: str, owner: str | None) -> dict[str, ReflectedColumn] | None:
    """Describe the columns of a table, view or synonym by their names in capitals."""
    try:
        found = inspect(connection).get_columns(name, schema=owner, oracle_resolve_synonyms=True)
    except NoSuchTableError:
        return None
    return {column["name"].upper(): column for column in found}


def _compare(column: Column[object], found: dict[str, ReflectedColumn]) -> Difference | None:
    kind, actual_column = _kind(column.type), found.get(column.name.upper())
    if actual_column is None:
        others = ", ".join(sorted(found))
        return Difference(column.table.name, column.name, kind, "no such column", f"the table has {others}")
    actual = actual_column["type"]
    if _kind(actual) == kind:
        return None
    advice = "XMLTYPE is read as text and is fine" if column.name == "XML" else "the statements would misread it"
    return Difference(column.table.name, column.name, kind, f"{_kind(actual)} ({actual!r})", advice)


def _kind(type_: TypeEngine[object]) -> str:
    if isinstance(type_, String):
        return "text"
    if isinstance(type_, DateTime | Date):
        return "date"
    return "number" if isinstance(type_, Numeric | Float | Integer) else "another type"


def _try(database: ArchiveDatabase, table: Table, columns: Sequence[Column[object]]) -> Iterator[Difference]:
    """Read the table as the statements do: only that shows a missing grant."""
    try:
        with database.reading() as connection:
            connection.execute(select(*columns).where(false()))
            for column in columns:
                yield from _look(connection, column)
    except DependencyAwayError:
        raise
    except RestoreError as error:
        yield Difference(table.name, "", "can be read", str(error), "grant SELECT to the account")


def _look(connection: Connection, column: Column[object]) -> Iterator[Difference]:
    pattern = _LOOKS.get(column)
    if pattern is None:
        return
    rows = connection.execute(select(column).where(column.is_not(None)).limit(_SAMPLE)).scalars().all()
    if rows and not any(re.fullmatch(pattern, str(value)) for value in rows):
        advice = "check which column holds it" + (
            ": set ALMA_RESTORE_ENTITLEMENT_CHECKER_DELIVERY_COLUMN" if "DELIVERY" in column.name else ""
        )
        yield Difference(column.table.name, column.name, f"like {pattern}", repr(rows[0]), advice)

"""Examines the archive's databases: whether all is there that is read, and what time it is there."""

from contextlib import closing
from datetime import UTC, datetime
from typing import Literal

from sqlalchemy import Column, Table, text

from shared.archive_db.database import ArchiveDatabase
from shared.archive_db.schema import check_schema, columns_read
from shared.archive_db.settings import ArchiveDbSettings
from shared.findings import Findings

_NOW = {
    "oracle": "SELECT SYS_EXTRACT_UTC(SYSTIMESTAMP) FROM DUAL",
    "postgresql": "SELECT clock_timestamp() AT TIME ZONE 'UTC'",
}


def examine_archive(
    settings: ArchiveDbSettings, *, delivery_column: Literal["DELIVERY_NAME", "DELIVERY_ID"], own_delegees: bool
) -> Findings:
    """Compare the metadata database with what is read of it; nothing is written."""
    expected = columns_read(delivery_column=delivery_column, own_delegees=own_delegees)
    return examine_tables(settings, expected, subject="archive database")


def examine_tables(
    settings: ArchiveDbSettings, expected: dict[Table, tuple[Column[object], ...]], *, subject: str
) -> Findings:
    """Compare tables with the columns that are read of them; nothing is written."""
    findings = Findings(subject)
    with (
        findings.attempt("reachable", "check ALMA_RESTORE_ARCHIVE_DB_URL, the listener and the account"),
        closing(ArchiveDatabase(settings=settings)) as database,
    ):
        before = datetime.now(UTC)
        with database.reading() as connection:
            asked = _NOW.get(connection.dialect.name)
            theirs = connection.execute(text(asked)).scalar_one() if asked else None
        findings.ok("reachable", "it answers")
        if theirs is not None:
            findings.clock(theirs.replace(tzinfo=UTC), before=before)
        differences = check_schema(database, expected)
        for each in differences:
            found = f"{each.table}.{each.column}: {each.found}, not {each.expected}".replace(".:", ":")
            findings.fail("schema", found, each.advice)
        if not differences:
            findings.ok("schema", f"{len(expected)} tables are as they are read")
    return findings

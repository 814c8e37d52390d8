"""NGAS's tables are examined where ASDMs are found by them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from services.ngas_fetcher.examining import examine_ngas_tables
from services.ngas_fetcher.ngas_tables import _NGAS
from shared.archive_db import ArchiveDbSettings
from shared.findings import Finding, Verdict

Examine = Callable[..., list[Finding]]


@pytest.fixture
def examine(tmp_path: Path) -> Examine:
    """Examine NGAS's tables after these statements."""

    def examine(*statements: str) -> list[Finding]:
        url = f"sqlite:///{tmp_path / 'ngas.db'}"
        engine = create_engine(url)
        _NGAS.create_all(engine)
        with engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement))
        engine.dispose()
        return list(examine_ngas_tables(ArchiveDbSettings.model_validate({"url": url})))

    return examine


def test_tables_that_can_be_read_are_well(examine: Examine) -> None:
    assert [(each.check, each.verdict) for each in examine()] == [
        ("NGAS tables: reachable", Verdict.OK),
        ("NGAS tables: schema", Verdict.OK),
    ]


@pytest.mark.parametrize(
    ("statement", "found", "advice"),
    [
        ("DROP TABLE ngas_disks", "ngas_disks: none, not a table", "grant SELECT"),
        ("ALTER TABLE ngas_hosts DROP COLUMN cluster_name", "ngas_hosts.cluster_name: no such column", "SRV_PORT"),
        (
            "ALTER TABLE ngas_files RENAME COLUMN checksum TO old; ALTER TABLE ngas_files ADD COLUMN checksum INTEGER",
            "ngas_files.checksum: number",
            "misread",
        ),
    ],
)
def test_what_is_not_as_it_is_read_fails_by_name(examine: Examine, statement: str, found: str, advice: str) -> None:
    failed = [each for each in examine(*statement.split("; ")) if each.verdict is not Verdict.OK]
    assert [(each.check, each.verdict) for each in failed] == [("NGAS tables: schema", Verdict.FAIL)]
    assert found in failed[0].found
    assert advice in failed[0].advice


def test_a_database_that_is_away_fails(tmp_path: Path) -> None:
    (found,) = examine_ngas_tables(ArchiveDbSettings.model_validate({"url": f"sqlite:///{tmp_path / 'none.db'}"}))
    assert (found.check, found.verdict) == ("NGAS tables: reachable", Verdict.FAIL)
    assert "ALMA_RESTORE_ARCHIVE_DB_URL" in found.advice

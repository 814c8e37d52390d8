"""The commands for operators, as a process sees them: words and exit codes."""

import sqlite3
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import delete, text
from typer import Typer
from typer.testing import CliRunner, Result

from alma_restore import archive_command
from observatory import metadata_demo as demo
from observatory.metadata import add_products
from shared.archive_db.tables import ASA_PRODUCT_FILES
from shared.not_restorable import NotRestorableYet, RefusedYet
from shared.objects import DirectorySettings, open_store
from tests.support.archive_tables import ArchiveTables, caltables_of
from tests.support.samples import REQUEST, WHEN


@pytest.fixture
def tables(tables: ArchiveTables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ArchiveTables:
    monkeypatch.setenv("ALMA_RESTORE_ARCHIVE_DB_URL", f"sqlite:///{tables.path}")
    monkeypatch.setenv("ALMA_RESTORE_CALIBRATION_STATUS_PATH", str(tmp_path / "status.db"))
    monkeypatch.setenv("ALMA_RESTORE_STORE__KIND", "directory")
    monkeypatch.setenv("ALMA_RESTORE_STORE__ROOT", str(tmp_path / "objects"))
    monkeypatch.setattr(archive_command.console, "_width", 300)
    return tables


def run(*arguments: str) -> Result:
    app = Typer()
    archive_command.register(app)
    return CliRunner().invoke(app, arguments)


def test_a_schema_as_expected_is_said_to_be(tables: ArchiveTables) -> None:
    result = run("archive", "check")
    assert result.exit_code == 0, result.output
    assert result.output.startswith("As expected: 14 tables with ")


def test_differences_are_shown_with_what_to_do(tables: ArchiveTables) -> None:
    rename = text('ALTER TABLE "ASA_PRODUCT_FILES" RENAME COLUMN "ASA_OUS_ID" TO "ASA_MOUS_UID"')
    tables.change(lambda connection: connection.execute(rename))
    tables.change(lambda connection: connection.execute(text('DROP TABLE "AQUA_SESSION"')))
    result = run("archive", "check")
    assert result.exit_code == 1
    assert "ASA_MOUS_UID" in result.output
    assert "AQUA_SESSION" in result.output
    assert "grant SELECT" in result.output
    assert "2 differences in 14 tables" in result.output


def test_the_other_column_of_deliveries_and_an_own_query_for_delegees_are_respected(
    tables: ArchiveTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALMA_RESTORE_ENTITLEMENT_CHECKER_DELIVERY_COLUMN", "DELIVERY_ID")
    monkeypatch.setenv("ALMA_RESTORE_ENTITLEMENT_CHECKER_DELEGEE_QUERY", "SELECT x FROM y WHERE z = :project_code")
    drop = text('ALTER TABLE "ASA_DELIVERY_STATUS" RENAME COLUMN "DELIVERY_NAME" TO "SOMETHING"')
    tables.change(lambda connection: connection.execute(drop))
    tables.change(lambda connection: connection.execute(text('DROP TABLE "PROJECT_DELEGEE"')))
    result = run("archive", "check")
    assert result.exit_code == 0, result.output
    assert "13 tables" in result.output


def test_a_database_that_is_away_is_one_sentence(tables: ArchiveTables) -> None:
    tables.path.unlink()
    result = run("archive", "check")
    assert result.exit_code == 2
    assert "the archive database is away" in result.output
    assert "Traceback" not in result.output


def test_a_missing_setting_is_told_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ALMA_RESTORE_ARCHIVE_DB_URL", raising=False)
    result = run("archive", "check")
    assert result.exit_code == 2
    assert "environment: ALMA_RESTORE_ARCHIVE_DB_URL" in result.output


def test_what_can_be_restored_is_said_without_the_archive(
    tables: ArchiveTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("refresh")
    tables.path.unlink()
    monkeypatch.delenv("ALMA_RESTORE_ARCHIVE_DB_URL")
    found = run("restorable", demo.MOUS.uid, demo.IN_QA3.uid, "uid://A001/X9/X9")
    assert found.exit_code == 1
    assert found.output.split() == [demo.MOUS.uid, "yes", demo.IN_QA3.uid, "no", "uid://A001/X9/X9", "not", "known"]
    assert run("restorable", demo.MOUS.uid).exit_code == 0
    assert run("restorable", "MOUS 9").exit_code == 2


@pytest.mark.parametrize("is_there", [False, True], ids=["nothing", "another database"])
def test_where_there_is_no_record_nothing_is_made_and_nothing_is_said_of_any_mous(
    is_there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "wrong" / "status.db"
    if is_there:
        path.parent.mkdir()
        with closing(sqlite3.connect(path)) as other:
            other.execute("CREATE TABLE ours (x)")
    before = path.read_bytes() if is_there else None
    monkeypatch.setenv("ALMA_RESTORE_CALIBRATION_STATUS_PATH", str(path))
    result = run("restorable", demo.MOUS.uid)
    assert (result.exit_code, "not known" in result.output) == (2, False)
    assert "ALMA_RESTORE_CALIBRATION_STATUS_PATH" in result.output
    assert (path.read_bytes() if path.exists() else None) == before
    assert list(tmp_path.glob("wrong/*")) == ([path] if is_there else [])


def test_a_refresh_says_what_it_did_and_whom_to_tell_until_they_are_told(tables: ArchiveTables, tmp_path: Path) -> None:
    objects = open_store(DirectorySettings(root=tmp_path / "objects"))
    request = REQUEST.model_copy(update={"request_id": uuid4()})
    NotRestorableYet(objects=objects).remember(RefusedYet(request=request, detail="no tables", since=WHEN))
    objects.close()
    tables.change(lambda connection: connection.execute(delete(ASA_PRODUCT_FILES)))

    first = run("refresh")
    assert first.exit_code == 0, first.output
    assert "Full pass: 9 MOUSs read" in first.output
    assert "9 new" in first.output
    assert request.user_email not in first.output

    tables.change(lambda connection: add_products(connection, demo.MOUS.uid, caltables_of(demo.MOUS)))
    second = run("refresh", "--told")
    assert "Refresh: " in second.output
    assert "1 products" in second.output
    assert request.user_email in second.output
    assert request.ticket in second.output
    assert request.user_email not in run("refresh").output


def test_to_show_whom_to_tell_and_to_note_that_they_were_told_exclude_each_other(tables: ArchiveTables) -> None:
    refused = run("refresh", "--only-show", "--told")
    assert refused.exit_code == 2
    assert "exclude each other" in refused.output

"""The command that ends deliveries, on a real store and ledger."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from alma_restore.cli import app
from services.request_desk.ledger.migrating import migrate
from shared.objects.directory import DirectoryStore
from tests.support.deliveries import DeliverySite

run = CliRunner()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DeliverySite:
    root, url = tmp_path / "objects", f"sqlite:///{tmp_path / 'ledger.db'}"
    migrate(url)
    monkeypatch.setenv("ALMA_RESTORE_STORE__KIND", "directory")
    monkeypatch.setenv("ALMA_RESTORE_STORE__ROOT", str(root))
    monkeypatch.setenv("ALMA_RESTORE_REQUEST_DESK_LEDGER_URL", url)
    monkeypatch.setenv("COLUMNS", "200")
    return DeliverySite(DirectoryStore(root))


def test_a_dry_run_tells_what_is_due_and_changes_nothing(site: DeliverySite) -> None:
    file = site.product(1)
    site.now = datetime(2020, 1, 1, tzinfo=UTC)
    manifest = site.deliver(1, [file])
    before = site.keys()
    shown = run.invoke(app, ["expire", "--dry-run"])
    assert shown.exit_code == 0, shown.output
    assert f"delivery {manifest.token}" in shown.output
    assert file.ref.key.rsplit("/", 2)[0] in shown.output
    assert "nothing was changed" in shown.output
    assert site.keys() == before


def test_a_dry_run_with_nothing_due_says_so(site: DeliverySite) -> None:
    assert "Nothing is due" in run.invoke(app, ["expire", "--dry-run"]).output


def test_without_a_ledger_nothing_is_removed(site: DeliverySite, monkeypatch: pytest.MonkeyPatch) -> None:
    file = site.product(1)
    site.deliver(1, [file])
    monkeypatch.delenv("ALMA_RESTORE_REQUEST_DESK_LEDGER_URL")
    shown = run.invoke(app, ["expire"])
    assert shown.exit_code == 2
    assert "ALMA_RESTORE_REQUEST_DESK_LEDGER_URL" in shown.output
    assert site.has(file)

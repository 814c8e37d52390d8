"""A MOUS that people calibrated, from the archive to the calibrated data: tables, fetch, order, script."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from alma_restore.cli import app
from observatory.metadata_demo import EMPTY_FIRST_SESSION
from observatory.miniature import MiniatureAlma
from tests.support.measurement_sets import differences
from tests.support.standin import make_shell

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def alma(tmp_path_factory: pytest.TempPathFactory, observatory_cache: Path) -> Iterator[MiniatureAlma]:
    root, mouss = tmp_path_factory.mktemp("observatory"), (EMPTY_FIRST_SESSION,)
    with MiniatureAlma(root=root, cache=observatory_cache, mouss=mouss, by_hand=mouss) as alma:
        yield alma


@pytest.fixture(autouse=True)
def surroundings(alma: MiniatureAlma, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = {"command": [sys.executable], "shell": make_shell(tmp_path / "application")}
    monkeypatch.setenv("ALMA_RESTORE_ARCHIVE_DB_URL", alma.database_url)
    monkeypatch.setenv("ALMA_RESTORE_NGAS_FETCHER_HOSTS", alma.ngas.address)
    monkeypatch.setenv("ALMA_RESTORE_NGAS_FETCHER_LOCATION_DIRECTORY", str(alma.locations))
    monkeypatch.setenv("ALMA_RESTORE_CASA_RUNNER_SCRATCH", str(tmp_path / "scratch"))
    monkeypatch.setenv("ALMA_RESTORE_CASA_RUNNER_LAUNCHER__KIND", "process")
    monkeypatch.setenv("ALMA_RESTORE_CASA_RUNNER_LAUNCHER__CASAS", json.dumps({"6.7.*": place}))


def ppr(*args: object) -> Result:
    return CliRunner().invoke(app, ["ppr", EMPTY_FIRST_SESSION.uid, *map(str, args)])


def test_its_block_is_restored_by_its_script(alma: MiniatureAlma, tmp_path: Path) -> None:
    ((eb_uid, block),) = alma.blocks.items()

    result = ppr("--kind", "import", "--run", "--out", tmp_path / "out")

    assert result.exit_code == 0, result.output
    (path,) = (tmp_path / "out").glob("*/SOUS_*/GOUS_*/MOUS_*/working/PPR_*.xml")
    assert differences(path.parent / f"{eb_uid.file_form}.ms.split.cal", block.truth) == []


def test_no_other_kind_is_made_of_it(tmp_path: Path) -> None:
    result = ppr("--out", tmp_path / "out")

    assert result.exit_code == 2
    assert "calibrated by hand" in result.stderr
    assert not (tmp_path / "out").exists()

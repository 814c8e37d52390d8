"""A MOUS restored from the command line, with a miniature ALMA and CASA and no service running."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from alma_restore.cli import app
from observatory.metadata_demo import MOUS
from observatory.miniature import MiniatureAlma

EB = MOUS.blocks[2].uid


@pytest.fixture(scope="module")
def alma(tmp_path_factory: pytest.TempPathFactory, observatory_cache: Path) -> Iterator[MiniatureAlma]:
    root = tmp_path_factory.mktemp("observatory")
    with MiniatureAlma(root=root, cache=observatory_cache, mouss=(MOUS,)) as alma:
        yield alma


@pytest.fixture
def surroundings(alma: MiniatureAlma, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALMA_RESTORE_ARCHIVE_DB_URL", alma.database_url)
    monkeypatch.setenv("ALMA_RESTORE_NGAS_FETCHER_HOSTS", alma.ngas.address)
    monkeypatch.setenv("ALMA_RESTORE_NGAS_FETCHER_LOCATION_DIRECTORY", str(alma.locations))
    monkeypatch.setenv("ALMA_RESTORE_CASA_RUNNER_SCRATCH", str(tmp_path / "scratch"))


def ppr(*args: object) -> Result:
    return CliRunner().invoke(app, ["ppr", *map(str, args)])


@pytest.mark.usefixtures("surroundings")
def test_a_block_is_restored_in_the_tree_that_was_made_for_it(tmp_path: Path) -> None:
    result = ppr(MOUS.uid, "--eb", EB, "--run", "--out", tmp_path / "out")

    assert result.exit_code == 0, result.output
    (path,) = (tmp_path / "out").glob("*/SOUS_*/GOUS_*/MOUS_*/working/PPR_*.xml")
    assert (path.parent / f"{EB.file_form}.ms.split.cal" / "table.dat").is_file()
    assert (path.parents[1] / "rawdata" / EB.file_form / "ASDM.xml").is_file()
    checked = ppr("check", path, "--tree", tmp_path / "out")
    assert checked.exit_code == 0, checked.output


@pytest.mark.usefixtures("surroundings")
@pytest.mark.parametrize(("option", "place"), [([], "rawdata"), (["--old-layout"], "products")])
def test_a_downloaded_tree_has_what_the_request_needs_where_it_looks(
    option: list[str], place: str, tmp_path: Path
) -> None:
    assert ppr(MOUS.uid, "--download", *option, "--out", tmp_path).exit_code == 0

    (path,) = tmp_path.glob("*/SOUS_*/GOUS_*/MOUS_*/working/PPR_*.xml")
    folder = path.parents[1]
    assert ppr("check", path, "--tree", folder).exit_code == 0
    (manifest,) = (folder / place).glob("*pipeline_manifest.xml")
    manifest.chmod(0o644)
    text = manifest.read_text()
    manifest.unlink()
    manifest.write_text(text.replace('session name="session_3"', 'session name="session_2"'))
    calapply = folder / place / f"{EB.file_form}.ms.calapply.txt"
    calapply.rename(calapply.with_name(f"member.{calapply.name}"))

    checked = ppr("check", path, "--tree", folder)

    assert checked.exit_code == 1
    assert f"{EB} goes into session_3, but was calibrated in session_2 by the manifest" in checked.stdout
    assert f"rename member.{calapply.name}" in checked.stdout

"""``alma-restore ppr`` as a process sees it: the tree that it makes, what it tells of requests, exit codes."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from alma_restore.cli import app
from alma_restore.ppr_cli import KINDS
from observatory.metadata_demo import EMPTY_FIRST_SESSION, MOUS
from shared.pipeline_files.ppr import Kind, read_ppr
from tests.support.archive_tables import ArchiveTables

GOLDEN = Path(__file__).parents[2] / "golden" / "ppr"
BLOCKS = [block.uid for block in MOUS.blocks]
EB = BLOCKS[2]


def ppr(*args: object) -> Result:
    return CliRunner().invoke(app, ["ppr", *map(str, args)])


@pytest.fixture
def tables(tables: ArchiveTables, monkeypatch: pytest.MonkeyPatch) -> ArchiveTables:
    monkeypatch.setenv("ALMA_RESTORE_ARCHIVE_DB_URL", tables.settings().url.get_secret_value())
    return tables


def made(out: Path) -> Path:
    (found,) = out.glob("*/SOUS_*/GOUS_*/MOUS_*/working/PPR_*.xml")
    return found


def test_a_mous_alone_makes_a_restore_of_all_its_blocks_with_the_whole_tree(
    tables: ArchiveTables, tmp_path: Path
) -> None:
    result = ppr(MOUS.uid, "--out", tmp_path / "out")

    assert result.exit_code == 0, result.output
    path = made(tmp_path / "out")
    folder = path.parents[1]
    assert path.name == "PPR_uid___A001_X1284_X2660.xml"
    assert result.stdout.startswith("Project root directory is 2017.1.00886.L_")
    assert str(folder).endswith("/SOUS_uid___A001_X1284_X265d/GOUS_uid___A001_X1284_X265e/MOUS_uid___A001_X1284_X265f")
    assert {each.name for each in folder.iterdir()} == {
        "rawdata",
        "working",
        "products",
        "OUSStatus_uid___A001_X1284_X265f.xml",
    }
    request = read_ppr(path.read_bytes())
    assert request.execution_blocks == tuple(BLOCKS)
    assert str(folder).endswith(request.sched_block.relative_path)


def test_a_single_block_keeps_its_session_in_every_kind(tables: ArchiveTables, tmp_path: Path) -> None:
    for kind in ("restore", "deliver", "calimage", "cal", "image", "sd-restore", "sd-calimage"):
        assert ppr("make", MOUS.uid, "--kind", kind, "--eb", EB, "--out", tmp_path / kind).exit_code == 0

        request = read_ppr(made(tmp_path / kind).read_bytes())

        assert request.execution_blocks == (EB,)
        assert request.session_of(EB) == "session_3"


def test_an_empty_session_stays(tables: ArchiveTables, tmp_path: Path) -> None:
    assert ppr(EMPTY_FIRST_SESSION.uid, "--out", tmp_path).exit_code == 0

    sessions = read_ppr(made(tmp_path).read_bytes()).sessions

    assert [len(session) for session in sessions] == [len(session.blocks) for session in EMPTY_FIRST_SESSION.sessions]
    assert () in sessions


def test_what_is_delivered_is_chosen(tables: ArchiveTables, tmp_path: Path) -> None:
    choice = ["--field", "HLX_Target", "--spw", "17,19", "--chanbin", "4", "--timebin", "10s", "--casa", "6.6.1-17"]

    assert ppr(MOUS.uid, "--kind", "deliver", *choice, "--out", tmp_path).exit_code == 0

    transform = read_ppr(made(tmp_path).read_bytes()).procedure.commands[1]
    assert {each.keyword: each.value for each in transform.parameters} == {
        "field": "HLX_Target",
        "spw": "17,19",
        "chanbin": 4,
        "timebin": "10s",
    }


def test_what_begins_with_raw_data_needs_no_calibration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tables = ArchiveTables(tmp_path)
    tables.fill(caltables=False)
    monkeypatch.setenv("ALMA_RESTORE_ARCHIVE_DB_URL", tables.settings().url.get_secret_value())

    assert ppr(MOUS.uid, "--kind", "calimage", "--out", tmp_path / "a").exit_code == 0
    refused = ppr(MOUS.uid, "--out", tmp_path / "b")

    assert (refused.exit_code, "not_restorable_yet" in refused.stderr) == (2, True)
    assert not (tmp_path / "b").exists()
    tables.close()


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["NGC253"], "is not an ALMA UID"),
        (["uid://A001/X1fff/X1"], "there is no such MOUS"),
        ([MOUS.uid, "--eb", "uid://A002/X1/X1"], "not among the execution blocks"),
        ([MOUS.uid, "--kind", "image", "--run"], "needs the pipeline"),
        ([MOUS.uid, "--kind", "imaging"], "take one of restore, deliver"),
        ([MOUS.uid, "--kind", "deliver", "--casa", "6.6", "--timebin", " 10s"], "spaces around it"),
        ([MOUS.uid, "--casa", "newest"], "is no version of CASA"),
        ([MOUS.uid, "--kind", "deliver", "--casa", "5.6.1", "--chanbin", "2"], "leaves open field, spw, intent"),
        ([MOUS.uid, "--kind", "sd-restore", "--casa", "5.1.1"], "only from 5.4 on"),
    ],
)
def test_what_cannot_be_made_is_refused_in_a_sentence(
    tables: ArchiveTables, tmp_path: Path, args: list[str], said: str
) -> None:
    result = ppr(*args, "--out", tmp_path / "out")

    assert result.exit_code == 2
    assert said in result.stderr
    assert "Traceback" not in result.output


def test_the_kinds_that_the_help_names_are_those_that_there_are() -> None:
    assert KINDS == tuple(Kind)


def test_the_command_needs_neither_database_nor_xml_until_it_is_used() -> None:
    code = "import sys; sys.modules.update(lxml=None, sqlalchemy=None); import alma_restore.ppr_cli"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_requests_that_mean_the_same_do_not_differ(tmp_path: Path) -> None:
    text = (GOLDEN / "restore_all.xml").read_text()
    other = tmp_path / "other.xml"
    other.write_text(
        text.replace("2026_01_02T03_04_05.678", "2018_10_01T12_00_00.000")
        .replace("2026-01-02T03:04:05.678", "2018-10-01T12:00:00.000")
        .replace("ns7:", "val:")
        .replace("xmlns:ns7", "xmlns:val")
        .replace(">False<", ">false<")
    )

    result = ppr("diff", GOLDEN / "restore_all.xml", other)

    assert (result.exit_code, result.stdout) == (0, "The pipeline does the same with both.\n")


def test_what_differs_is_shown_from_both_sides(tmp_path: Path) -> None:
    other = tmp_path / "other.xml"
    other.write_text(
        (GOLDEN / "restore_all.xml")
        .read_text()
        .replace("SESSION_3", "SESSION_4")
        .replace(">False<", ">True<")
        .replace(">Undefined</ObsUnitSetTitle>", ">NGC 253</ObsUnitSetTitle>")
    )

    result = ppr("diff", GOLDEN / "restore_all.xml", other)

    assert result.exit_code == 1
    assert f"session of {EB.file_form}\n  < 'session_3'\n  > 'session_1'\n" in result.stdout
    assert "command 1 hifa_restoredata: copytoraw\n  < False\n  > True\n" in result.stdout
    assert "ObsUnitSetTitle  (without effect)" in result.stdout


def test_other_commands_and_blocks_differ() -> None:
    result = ppr("diff", GOLDEN / "restore_all.xml", GOLDEN / "deliver_one_casa_5.1.xml")

    assert result.exit_code == 1
    assert "command 2\n  < None\n  > 'hif_mstransform'\n" in result.stdout
    assert f"session of {BLOCKS[0].file_form}\n  < 'session_1'\n  > None\n" in result.stdout


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.xml")), ids=lambda path: path.stem)
def test_nothing_goes_otherwise_than_our_own_requests_say(path: Path) -> None:
    result = ppr("check", path)

    assert result.exit_code == 0, result.output
    assert result.stdout.endswith("Nothing is lost, dropped or misread.\n")


def test_a_request_that_would_be_shortened_is_told(tmp_path: Path) -> None:
    path = tmp_path / "bad.xml"
    path.write_text((GOLDEN / "deliver_all.xml").read_text().replace("SESSION_2", "SESSION_9"))

    result = ppr("check", path, "--casa", "5.6.1")

    assert result.exit_code == 1
    assert "! not seen as sessions, since there is no SESSION_2: SESSION_9, SESSION_3" in result.stdout
    assert "[session_gap]" in result.stdout


def test_a_task_that_a_release_does_not_have_is_told() -> None:
    result = ppr("check", GOLDEN / "calimage_all.xml", "--casa", "5.6.1")

    assert result.exit_code == 1
    assert "! the pipeline of CASA 5.6.1 has no hifa_tsysflagcontamination" in result.stdout


@pytest.mark.parametrize("command", ["diff", "check"])
def test_what_is_no_request_is_refused(command: str, tmp_path: Path) -> None:
    path = tmp_path / "no.xml"
    path.write_text("<a/>")

    for file, said in ((path, "not <SciPipeRequest>"), (tmp_path / "none.xml", "cannot be read")):
        result = ppr(command, *[file] * (2 if command == "diff" else 1))
        assert (result.exit_code, said in result.stderr) == (2, True)


def test_a_tree_without_its_data_is_told(tables: ArchiveTables, tmp_path: Path) -> None:
    ppr(MOUS.uid, "--eb", EB, "--out", tmp_path / "out")
    path = made(tmp_path / "out")
    rawdata = path.parents[1] / "rawdata"
    (rawdata / f"{EB.file_form}.asdm.sdm").mkdir()

    result = ppr("check", path, "--tree", tmp_path / "out")

    assert result.exit_code == 1
    assert f"rename {EB.file_form}.asdm.sdm to {EB.file_form}" in result.stdout
    assert "there is no *pipeline_manifest.xml" in result.stdout
    shutil.rmtree(rawdata)
    assert "has no rawdata" in ppr("check", path, "--tree", tmp_path / "out").stderr

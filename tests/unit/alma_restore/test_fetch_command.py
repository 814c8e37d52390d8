"""The command for people, as a process sees it: files, words and exit codes."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from typer import Typer
from typer.testing import CliRunner, Result

from alma_restore.fetch_command import EXIT_CODES, register
from observatory.ngas import Fault, NgasServer, multipart_report, tar_report
from tests.support.trees import files_below
from tests.unit.services.ngas_fetcher.samples import EBS, bdf_names, write_asdm

ROOT = Path(__file__).parents[3]
EB = EBS[0]
FIRST_BDF = bdf_names(0)[0].removeprefix("uid___").replace("_", "/")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NgasServer]:
    with NgasServer(tmp_path / "ngas") as server:
        yield server


@pytest.fixture
def asdm(server: NgasServer, tmp_path: Path) -> Path:
    return write_asdm(tmp_path / "asdm", EB, server, tmp_path / "locations")


@pytest.fixture
def report(asdm: Path, tmp_path: Path) -> Path:
    return tmp_path / "locations" / f"{EB.file_form}.json"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def run(*arguments: object) -> Result:
    app = Typer()
    app.callback()(lambda: None)
    register(app)
    return CliRunner().invoke(app, ["fetch", *map(str, arguments)])


def test_a_location_report_alone_gives_its_files_under_its_paths(report: Path, asdm: Path, out: Path) -> None:
    assert run("--location-file", report, "--output-dir", out).exit_code == 0
    assert files_below(out) == files_below(asdm)


def test_a_uid_becomes_an_asdm_directory_by_the_settings(
    report: Path, asdm: Path, out: Path, server: NgasServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALMA_RESTORE_NGAS_FETCHER_HOSTS", server.address)
    monkeypatch.setenv("ALMA_RESTORE_NGAS_FETCHER_LOCATION_DIRECTORY", str(report.parent))
    assert run(EB.file_form, "--output-dir", out).exit_code == 0
    assert files_below(out / EB.file_form) == files_below(asdm)


@pytest.mark.parametrize("pack", [tar_report, multipart_report])
def test_a_package_is_unpacked_and_nothing_else_is_left(
    pack: object, asdm: Path, report: Path, out: Path, server: NgasServer, tmp_path: Path
) -> None:
    assert callable(pack)
    pack(asdm, EB, server, work=tmp_path, write_to=report.parent)
    assert run(EB, "--location-file", report, "--output-dir", out).exit_code == 0
    assert files_below(out / EB.file_form) == files_below(asdm)
    assert sorted(path.name for path in (out / EB.file_form).iterdir()) == sorted(path.name for path in asdm.iterdir())


def test_only_the_tables_come_if_only_they_are_wanted(report: Path, asdm: Path, out: Path) -> None:
    assert run(EB, "--sdm-only", "--location-file", report, "--output-dir", out).exit_code == 0
    tables = {path: data for path, data in files_below(asdm).items() if not path.startswith("ASDMBinary/")}
    assert files_below(out / EB.file_form) == tables


def without(report: Path, name: str) -> None:
    """Leave one file out of a location report."""
    told = json.loads(report.read_text())
    kept = [file for file in told["files"] if file["relative_path"] != name]
    assert len(kept) == len(told["files"]) - 1
    report.write_text(json.dumps(told | {"files": kept}))


@pytest.mark.parametrize("option", [(), ("--sdm-only",)], ids=["all of it", "only the tables"])
def test_an_asdm_without_its_main_table_is_refused_and_nothing_of_it_is_fetched(
    report: Path, out: Path, server: NgasServer, option: tuple[str, ...]
) -> None:
    without(report, "Main.xml")
    refused = run(EB, *option, "--location-file", report, "--output-dir", out)
    assert refused.exit_code == 10
    assert "Main.xml is not among its files" in refused.output
    assert server.requests == []


def test_an_asdm_that_lacks_binary_data_is_refused_before_more_than_its_main_table_is_fetched(
    report: Path, out: Path, server: NgasServer
) -> None:
    without(report, bdf_names(0)[2])
    refused = run(EB, "--location-file", report, "--output-dir", out)
    assert refused.exit_code == 10
    assert f"1 of them are not among its files: ASDMBinary/{bdf_names(0)[2]}" in refused.output
    assert list(files_below(out / EB.file_form)) == ["Main.xml"]
    assert len(server.requests) == 1


def test_a_dry_run_lists_all_and_fetches_nothing(report: Path, out: Path, server: NgasServer) -> None:
    shown = run("--dry-run", "--location-file", report, "--output-dir", out)
    assert shown.exit_code == 0
    assert f"ASDMBinary/{bdf_names(0)[2]}" in shown.output
    assert "905589" in shown.output
    assert server.requests == []
    assert not out.exists()


def test_what_is_there_and_right_is_not_fetched_again(report: Path, out: Path, server: NgasServer) -> None:
    run("--location-file", report, "--output-dir", out)
    server.requests.clear()
    assert run("--location-file", report, "--output-dir", out).exit_code == 0
    assert server.requests == []


def test_a_file_that_differs_is_replaced_only_by_force(report: Path, out: Path, asdm: Path) -> None:
    run("--location-file", report, "--output-dir", out)
    (out / "Antenna.xml").write_text("mine")
    refused = run("--location-file", report, "--output-dir", out)
    assert refused.exit_code == 8
    assert "Antenna.xml exists and is not what the archive has" in refused.output
    assert (out / "Antenna.xml").read_text() == "mine"
    assert run("--force", "--location-file", report, "--output-dir", out).exit_code == 0
    assert files_below(out) == files_below(asdm)


@pytest.mark.parametrize(
    ("fault", "code", "told"),
    [
        (Fault(corrupt_at=7), 5, "expected crc32:"),
        (Fault(truncate_to=7), 5, "got 7"),
        (Fault(busy=True), 6, "HTTP 503"),
        (Fault(redirect_to="127.0.0.2:7777"), 7, "not an allowed host"),
    ],
)
def test_each_failure_has_its_exit_code_and_leaves_no_partial_file(
    report: Path, out: Path, server: NgasServer, monkeypatch: pytest.MonkeyPatch, fault: Fault, code: int, told: str
) -> None:
    monkeypatch.setenv("ALMA_RESTORE_NGAS_FETCHER_ATTEMPTS", "1")
    server.faults.set(fault, file_id=FIRST_BDF)
    failed = run("--location-file", report, "--output-dir", out)
    assert failed.exit_code == code
    assert told in failed.output
    assert not (out / "ASDMBinary" / bdf_names(0)[0]).exists()
    assert not list(out.rglob("*.part"))


def test_a_file_that_the_archive_lacks_has_an_exit_code_of_its_own(report: Path, out: Path, server: NgasServer) -> None:
    report.write_text(report.read_text().replace(FIRST_BDF, "A002/X0/X0"))
    assert run("--location-file", report, "--output-dir", out).exit_code == 4


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((), 2),
        (("nonsense",), 2),
        ((EB, EBS[1], "--location-file", "x.json"), 2),
        (("--location-file", "none.json"), 3),
    ],
)
def test_wrong_use_is_told_by_its_code(arguments: tuple[str, ...], code: int) -> None:
    failed = run(*arguments)
    assert failed.exit_code == code
    assert failed.output.startswith("alma-restore: ")


@pytest.fixture
def running(report: Path, out: Path, server: NgasServer) -> Iterator[subprocess.Popen[str]]:
    """A process that is in the middle of a file, and would be for long."""
    server.faults.set(Fault(stall=600, stall_after=200_000, times=1), file_id=FIRST_BDF)
    command = [str(Path(sys.executable).with_name("alma-restore")), "fetch", "--location-file", str(report)]
    with subprocess.Popen([*command, "--output-dir", str(out)], stderr=subprocess.PIPE, text=True) as process:
        try:
            assert server.wait_for_request(FIRST_BDF, 30)
            until = time.monotonic() + 30
            while not any(path.stat().st_size for path in out.glob("ASDMBinary/.*.part")):
                assert process.poll() is None
                assert time.monotonic() < until
                time.sleep(0.05)
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_who_is_interrupted_leaves_whole_files_and_nothing_else(
    running: subprocess.Popen[str], number: signal.Signals, out: Path, asdm: Path
) -> None:
    running.send_signal(number)
    _, told = running.communicate(timeout=30)
    assert running.returncode == 130
    assert "Traceback" not in told
    whole = files_below(asdm)
    del whole[f"ASDMBinary/{bdf_names(0)[0]}"]
    assert files_below(out).items() <= whole.items()


def test_what_a_killed_run_left_the_next_one_removes_and_what_a_living_one_writes_stays(
    running: subprocess.Popen[str], report: Path, out: Path, asdm: Path
) -> None:
    held = {path for path in files_below(out) if path.endswith(".part")}
    assert run("--location-file", report, "--output-dir", out).exit_code == 0
    assert files_below(out).items() >= files_below(asdm).items()
    assert files_below(out).keys() >= held
    running.kill()
    running.wait(30)
    assert run("--location-file", report, "--output-dir", out).exit_code == 0
    assert files_below(out) == files_below(asdm)


def test_a_directory_that_cannot_be_written_has_an_exit_code_of_its_own(report: Path, out: Path) -> None:
    out.write_text("a file")
    refused = run("--location-file", report, "--output-dir", out)
    assert refused.exit_code == 9
    assert f"{out}" in refused.output
    assert "cannot be written or read" in refused.output


def test_progress_tells_what_came_of_how_much(report: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    shown = " ".join(run("--location-file", report, "--output-dir", out).stderr.split())
    assert f"{report}" in shown
    assert "7/7 files" in shown
    assert "905.6/905.6 kB" in shown


def test_the_help_and_the_documentation_say_every_exit_code() -> None:
    shown = " ".join(run("--help").output.split())
    assert all(f"{code} {text}" in shown for code, text in EXIT_CODES.items()), shown
    documented = re.findall(r"^\| (\d+) \| (.+) \|$", (ROOT / "docs" / "fetching.md").read_text(), re.MULTILINE)
    assert {int(code): text for code, text in documented} == EXIT_CODES

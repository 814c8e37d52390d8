"""Working directories are fresh, are kept at failure, and do not outlive a dead runner."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from services.casa_runner.errors import ScratchFullError
from services.casa_runner.workspace import Workspace
from shared.errors import MisconfiguredError

HOLDER = """
import sys, pathlib
from services.casa_runner.workspace import Workspace
with Workspace(scratch=pathlib.Path(sys.argv[1]), failed_quota=1).attempt("eb") as attempt:
    print(attempt.root, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(scratch=tmp_path, failed_quota=2500)


@pytest.fixture
def other_runner(tmp_path: Path) -> "Iterator[tuple[subprocess.Popen[str], Path]]":
    """Another process that works in the same scratch directory, and its attempt."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    root = Path(__file__).parents[4]
    with subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process, Path(process.stdout.readline().strip())
        process.kill()


def test_an_attempt_has_the_pipelines_layout_and_is_gone_afterwards(workspace: Workspace, tmp_path: Path) -> None:
    with workspace.attempt("eb") as attempt:
        assert {path.name for path in attempt.root.iterdir()} == {"rawdata", "working", "products", "home", "logs"}
    assert not list((tmp_path / "attempts").iterdir())


def test_two_attempts_at_one_block_do_not_meet(workspace: Workspace) -> None:
    with workspace.attempt("eb") as first, workspace.attempt("eb") as second:
        assert first.root != second.root


def test_an_attempt_is_gone_after_an_error_too(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), workspace.attempt("eb"):
        raise RuntimeError
    assert not list((tmp_path / "attempts").iterdir())


def test_a_kept_attempt_stays_and_its_place_is_told(workspace: Workspace) -> None:
    with workspace.attempt("eb") as attempt:
        (attempt.logs / "casa.log").write_text("why")
        host, _, place = str(workspace.keep(attempt)).partition(":")
    assert host
    assert (Path(place) / "logs" / "casa.log").read_text() == "why"


def kept(workspace: Workspace, size: int) -> Path:
    """Keep an attempt whose files have so many bytes."""
    with workspace.attempt("eb") as attempt:
        (attempt.working / "table.f0").write_bytes(bytes(size))
        return Path(str(workspace.keep(attempt)).partition(":")[2])


def test_the_oldest_kept_attempts_go_until_the_rest_is_within_the_quota_which_the_log_says(
    workspace: Workspace,
) -> None:
    with capture_logs() as log:
        places = [kept(workspace, size) for size in (1000, 500, 1000, 1000)]
    assert [place.exists() for place in places] == [False, True, True, True]
    [word] = [word for word in log if word["event"] == "failed_attempt_removed"]
    assert (word["path"], word["bytes"], word["quota"]) == (str(places[0]), 1000, 2500)


def test_the_newest_kept_attempt_stays_although_it_alone_is_beyond_the_quota(workspace: Workspace) -> None:
    places = [kept(workspace, size) for size in (1000, 9000)]
    assert [place.exists() for place in places] == [False, True]


def test_with_no_quota_none_is_kept_and_no_place_is_told(tmp_path: Path) -> None:
    workspace = Workspace(scratch=tmp_path, failed_quota=0)
    with workspace.attempt("eb") as attempt:
        assert workspace.keep(attempt) is None
    assert list((tmp_path / "failed").iterdir()) == list((tmp_path / "attempts").iterdir()) == []


def test_what_a_killed_runner_left_is_removed(
    workspace: Workspace, other_runner: "tuple[subprocess.Popen[str], Path]", tmp_path: Path
) -> None:
    process, left = other_runner
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert left.exists()
    assert workspace.remove_abandoned() == 1
    assert not list((tmp_path / "attempts").iterdir())


def test_what_a_live_runner_works_in_is_not_touched(
    workspace: Workspace, other_runner: "tuple[subprocess.Popen[str], Path]"
) -> None:
    assert workspace.remove_abandoned() == 0
    assert other_runner[1].exists()


def test_own_attempts_are_not_abandoned(workspace: Workspace) -> None:
    with workspace.attempt("eb") as attempt:
        assert workspace.remove_abandoned() == 0
        assert attempt.root.exists()


def test_too_little_room_is_a_matter_of_time(workspace: Workspace) -> None:
    workspace.require_space(1)
    with pytest.raises(ScratchFullError, match="make room") as raised:
        workspace.require_space(2**62)
    assert raised.value.transient


def test_a_scratch_that_cannot_be_written_is_told_with_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MisconfiguredError, match=r"/file cannot be written: .*; set ALMA_RESTORE_CASA_RUNNER_SCRATCH"):
        Workspace(scratch=tmp_path / "file", failed_quota=0)

"""The directory of trigger files is examined by what is done in it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.request_desk.examining import examine_triggers
from shared.findings import Finding, Verdict


def verdicts(findings: list[Finding]) -> dict[str, str]:
    return {each.check.removeprefix("trigger files: "): each.verdict.value for each in findings}


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """A directory on another file system."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        assert Path(folder).stat().st_dev != tmp_path.stat().st_dev
        yield Path(folder)


@pytest.mark.parametrize("has_rejected", [True, False])
def test_a_directory_that_can_be_used_is_well_and_left_as_it_was(tmp_path: Path, has_rejected: bool) -> None:
    (tmp_path / "one.txt").touch()
    if has_rejected:
        (tmp_path / "rejected").mkdir()
    before = sorted(tmp_path.rglob("*"))
    found = list(examine_triggers(tmp_path))
    assert verdicts(found) == {"directory": "ok", "rejected files": "ok"}
    assert "files that lie there: 1" in found[0].found
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", ["nothing", "file", "/proc"])
def test_a_directory_that_is_missing_none_or_not_writable_fails_with_what_to_do(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    (found,) = examine_triggers(tmp_path / name)
    assert (found.check, found.verdict) == ("trigger files: directory", Verdict.FAIL)
    assert str(tmp_path / name) in found.advice


def test_rejected_files_on_another_file_system_fail_since_none_could_be_moved(tmp_path: Path, elsewhere: Path) -> None:
    (tmp_path / "rejected").symlink_to(elsewhere)
    found = list(examine_triggers(tmp_path))
    assert verdicts(found) == {"directory": "ok", "rejected files": "fail"}
    assert "same file system" in found[-1].advice
    assert list(elsewhere.iterdir()) == []


def test_no_directory_is_well_where_none_is_watched() -> None:
    assert verdicts(list(examine_triggers(None))) == {"directory": "ok"}

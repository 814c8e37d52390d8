"""Trigger files are moved aside with a reason, never overwritten and never lost."""

import os
from pathlib import Path

import pytest

from services.request_desk.intake import directory as module
from services.request_desk.intake.directory import TriggerDirectory, TriggersAwayError


@pytest.fixture
def directory(tmp_path: Path) -> TriggerDirectory:
    (tmp_path / "triggers").mkdir()
    return TriggerDirectory(tmp_path / "triggers")


def put(directory: TriggerDirectory, name: str, text: str = "text\n") -> Path:
    path = directory.root / name
    path.write_text(text)
    return path


def test_hidden_files_directories_and_things_that_are_no_files_are_left_alone(directory: TriggerDirectory) -> None:
    put(directory, "a.txt")
    put(directory, ".a.txt.part")
    (directory.root / "rejected").mkdir()
    (directory.root / "link.txt").symlink_to("a.txt")
    os.mkfifo(directory.root / "pipe.txt")
    assert list(directory.files()) == ["a.txt"]


def test_a_change_of_a_file_changes_its_stamp(directory: TriggerDirectory) -> None:
    path = put(directory, "a.txt")
    before = directory.files()["a.txt"]
    os.utime(path, ns=(1, 1))
    touched = directory.files()["a.txt"]
    path.write_text("longer text\n")
    assert len({before, touched, directory.files()["a.txt"]}) == 3


def test_a_rejected_file_lies_beside_its_reason(directory: TriggerDirectory) -> None:
    put(directory, "a.txt")
    target = directory.reject("a.txt", "line 3: no")
    assert target == directory.root / "rejected" / "a.txt"
    assert target.read_text() == "text\n"
    assert target.with_name("a.txt.reason.txt").read_text() == "line 3: no\n"
    assert directory.files() == {}


def test_a_rejected_file_never_takes_another_ones_place(directory: TriggerDirectory) -> None:
    for number in (1, 2, 3):
        put(directory, "a.txt", f"text {number}\n")
        directory.reject("a.txt", f"reason {number}")
    rejected = directory.root / "rejected"
    assert {path.name: path.read_text() for path in rejected.iterdir()} == {
        "a.txt": "text 1\n",
        "a.txt.2": "text 2\n",
        "a.txt.3": "text 3\n",
        "a.txt.reason.txt": "reason 1\n",
        "a.txt.2.reason.txt": "reason 2\n",
        "a.txt.3.reason.txt": "reason 3\n",
    }


@pytest.mark.parametrize("step", ["write_whole", "sync_directory"])
def test_who_is_killed_while_rejecting_loses_nothing_and_is_followed_by_one_who_ends_it(
    step: str, directory: TriggerDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(directory, "a.txt")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, step, killed)
        with pytest.raises(KeyboardInterrupt):
            directory.reject("a.txt", "no")
    for name in directory.files():
        directory.reject(name, "no")
    rejected = directory.root / "rejected"
    assert sorted(path.name for path in rejected.iterdir()) == ["a.txt", "a.txt.reason.txt"]
    assert (rejected / "a.txt").read_text() == "text\n"
    assert directory.files() == {}


def test_a_file_of_somebody_else_is_moved_without_a_link(
    directory: TriggerDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Linux lets nobody link a file that he neither owns nor may write, and does let him move it."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("Operation not permitted")

    put(directory, "a.txt")
    monkeypatch.setattr(os, "link", refuse)
    assert directory.reject("a.txt", "no").read_text() == "text\n"


def test_two_desks_reject_one_file_once(directory: TriggerDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    put(directory, "a.txt")
    other = TriggerDirectory(directory.root)
    write = module.write_whole  # type: ignore[attr-defined]  # imported there

    def meanwhile(path: Path, data: list[bytes]) -> None:
        write(path, data)
        monkeypatch.setattr(module, "write_whole", write)
        other.reject("a.txt", "no")

    monkeypatch.setattr(module, "write_whole", meanwhile)
    directory.reject("a.txt", "no")
    directory.reject("a.txt", "no")
    assert sorted(path.name for path in (directory.root / "rejected").iterdir()) == ["a.txt", "a.txt.reason.txt"]


def test_a_file_that_is_gone_is_nothing_to_read_or_remove(directory: TriggerDirectory) -> None:
    assert directory.read("a.txt", 10) is None
    directory.remove("a.txt")


def test_a_directory_that_is_not_there_is_away_and_says_which(directory: TriggerDirectory) -> None:
    directory.root.rmdir()
    assert not directory.is_ready()
    with pytest.raises(TriggersAwayError, match=str(directory.root)) as raised:
        directory.files()
    assert raised.value.transient

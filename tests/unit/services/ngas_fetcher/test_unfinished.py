"""What is not finished when a process is killed, and who may remove it."""

import fcntl
import os
import random
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from services.ngas_fetcher.folder import Folder
from services.ngas_fetcher.unfinished import begin, remove_unfinished

KILLED = """
import os, signal, sys
from pathlib import Path
from services.ngas_fetcher.folder import Folder

folder = Folder(root=Path(sys.argv[1]))
with folder.aside() as aside:
    folder.put(f"{aside}files/Main.xml", [b"<x/>"])
    folder.settle()
    folder.put("ASDMBinary/0", [b"x"])
    os.kill(os.getpid(), signal.SIGKILL)
"""


def names(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def test_what_a_killed_process_left_is_removed_with_the_directory_beside(tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, tmp_path], timeout=30, check=False)
    assert killed.returncode < 0
    assert len(names(tmp_path)) == 3
    with closing(Folder(root=tmp_path)) as folder:
        folder.sweep(["Main.xml", "ASDMBinary/0"])
    assert names(tmp_path) == []
    assert [path.name for path in tmp_path.iterdir()] == ["ASDMBinary"]


def test_what_somebody_is_at_stays_and_gets_its_name(tmp_path: Path) -> None:
    with closing(Folder(root=tmp_path)) as folder, closing(Folder(root=tmp_path)) as other, folder.aside() as aside:
        folder.put(f"{aside}files/Main.xml", [b"<x/>"])
        folder.settle()
        folder.put("ASDMBinary/0", [b"x"])
        other.sweep(["ASDMBinary/0"])
        folder.move(f"{aside}files/Main.xml", "Main.xml")
    assert names(tmp_path) == ["ASDMBinary/0", "Main.xml"]


def test_files_of_that_kind_that_are_somebodys_stay(tmp_path: Path) -> None:
    theirs = [".mine.part", "movie.part", f"{'a' * 32}.part"]
    for name in theirs:
        (tmp_path / name).touch()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.touch()
    (tmp_path / f".{'b' * 32}.part").symlink_to(elsewhere)
    remove_unfinished(tmp_path)
    assert names(tmp_path) == sorted([*theirs, "elsewhere", f".{'b' * 32}.part"])


def test_a_name_that_is_taken_is_not_used_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given two processes that draw the same numbers, since one was split off the other."""
    drawn = iter([1, 1, 2])
    monkeypatch.setattr(random, "getrandbits", lambda _: next(drawn))
    for _ in range(2):
        os.close(begin(tmp_path)[0])
    assert names(tmp_path) == [f".{number:032x}.part" for number in (1, 2)]


def test_a_file_that_was_removed_before_it_was_held_is_begun_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given another process that looks between a file's making and its lock, then the writer has one that is there."""
    flock, removed = fcntl.flock, list[Path]()

    def late(descriptor: int, operation: int) -> None:
        if not removed:
            removed.extend(tmp_path.iterdir())
            removed[0].unlink()
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    descriptor, path = begin(tmp_path)
    os.close(descriptor)
    assert path != removed[0]
    assert list(tmp_path.iterdir()) == [path]

"""What is the directory's own: writers that were killed, hard links, keys that are files and directories."""

import errno
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from random import Random
from threading import Event, get_ident

import pytest

from shared.errors import DependencyAwayError, MisconfiguredError
from shared.objects import CannotSignError, IntegrityError, InvalidKeyError, ObjectStore, naming
from shared.objects.base import ObjectChangedError, ObjectExistsError, ObjectMissingError
from shared.objects.directory import DirectoryStore
from shared.objects.files import sync_directory
from tests.contract.objects_harness import DirectoryHarness, ref_of

WRITER = """
import sys
from pathlib import Path
from shared.objects.directory import DirectoryStore
from shared.objects.files import sync_directory

def chunks():
    yield b"half of it"
    print("written", flush=True)
    sys.stdin.read()

DirectoryStore(Path(sys.argv[1])).put("killed/writer", chunks())
"""


@pytest.fixture
def directory(tmp_path: Path) -> DirectoryHarness:
    return DirectoryHarness(tmp_path / "root")


def started_writer(root: Path) -> subprocess.Popen[bytes]:
    """Start a process that is in the middle of a write, and stays there."""
    writer = subprocess.Popen([sys.executable, "-c", WRITER, root], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert writer.stdout is not None
    assert writer.stdout.readline() == b"written\n"
    return writer


def test_temporary_files_of_a_killed_writer_are_removed_when_a_store_is_opened(directory: DirectoryHarness) -> None:
    with started_writer(directory.root) as writer:
        writer.kill()
    assert len(directory.leftovers()) == 1
    assert list(directory.store.list("")) == []
    DirectoryStore(directory.root)
    assert directory.leftovers() == []


def test_temporary_files_of_a_living_writer_stay(directory: DirectoryHarness) -> None:
    with started_writer(directory.root) as writer:
        DirectoryStore(directory.root)
        assert directory.store.sweep(timedelta(0)) == 0
        writer.communicate(b"")
    assert writer.returncode == 0
    assert directory.store.get("killed/writer") == b"half of it"


def test_data_that_were_never_named_are_removed_by_the_next_write_of_their_key(directory: DirectoryHarness) -> None:
    unnamed = directory.root / "data/moved/not-named" / f"{'0' * 32}.1.{'0' * 64}"
    unnamed.parent.mkdir(parents=True)
    unnamed.write_bytes(b"x")
    assert directory.store.info("moved/not-named") is None
    directory.store.put_bytes("moved/not-named", b"new")
    assert directory.leftovers() == []
    assert directory.store.get("moved/not-named") == b"new"


def test_a_directory_that_a_killed_writer_left_is_no_hindrance(directory: DirectoryHarness) -> None:
    (directory.root / "objects/left/empty/deep").mkdir(parents=True)
    assert directory.store.put_bytes("left/empty", b"x").size == 1


def test_data_that_somebody_removed_are_an_integrity_error(directory: DirectoryHarness) -> None:
    directory.store.put_bytes("removed/data", b"x")
    (directory.root / "objects/removed/data").resolve().unlink()
    with pytest.raises(IntegrityError, match="removed/data"):
        directory.store.get("removed/data")


def test_a_key_cannot_lie_below_an_object_nor_above_one(directory: DirectoryHarness) -> None:
    directory.store.put_bytes("a/b", b"x")
    for key in ("a", "a/b/c", "a/b/c/d"):
        with pytest.raises(InvalidKeyError, match="choose another"):
            directory.store.put_bytes(key, b"y")
        assert directory.store.info(key) is None
    assert [info.key for info in directory.store.list("")] == ["a/b"]
    assert directory.leftovers() == []


def test_an_empty_directory_is_left_neither_by_deletion_nor_by_refusal(directory: DirectoryHarness) -> None:
    directory.store.put_bytes("deep/er/and/deeper", b"x")
    directory.store.delete("deep/er/and/deeper")
    assert [list((directory.root / name).iterdir()) for name in ("objects", "data", "tmp")] == [[], [], []]


def test_empty_directories_of_a_killed_writer_go_with_a_deletion_below_them(directory: DirectoryHarness) -> None:
    (directory.root / "data/left/empty").mkdir(parents=True)
    directory.store.delete("left/empty/deep")
    assert list((directory.root / "data").iterdir()) == []


def test_a_fetched_file_is_a_hard_link(directory: DirectoryHarness, tmp_path: Path) -> None:
    ref = directory.store.put_bytes("linked/file", b"x")
    directory.store.fetch_to(ref, tmp_path / "file")
    assert (tmp_path / "file").samefile(directory.root / "objects/linked/file")


def test_a_file_system_without_hard_links_gets_a_copy(
    directory: DirectoryHarness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(source: Path, target: Path) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    ref = directory.store.put_bytes("copied/file", b"x")
    monkeypatch.setattr(os, "link", refuse)
    directory.store.fetch_to(ref, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"x"
    assert not (tmp_path / "file").samefile(directory.root / "objects/copied/file")
    assert list(tmp_path.glob(".*.part")) == []


def test_a_full_disk_is_a_dependency_that_is_away(directory: DirectoryHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DependencyAwayError, match="No space left"):
        directory.store.put_bytes("full/disk", b"x")
    monkeypatch.undo()
    assert list(directory.store.list("")) == []
    assert directory.leftovers() == []


def test_data_and_all_above_them_are_on_the_disk_before_they_are_named_and_their_name_is_before_it_is_told(
    directory: DirectoryHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    done, fsync, rename = list[str](), os.fsync, os.rename

    def place_of(path: str) -> str:
        """Name a place below the root; random names of files do not count."""
        return re.sub(r"[0-9a-f]{32}.*", "*", path.removeprefix(f"{directory.root}/"))

    def synced(descriptor: int) -> None:
        fsync(descriptor)
        done.append(f"{place_of(str(Path(f'/proc/self/fd/{descriptor}').readlink()))} is on the disk")

    def renamed(source: str, target: str) -> None:
        rename(source, target)
        done.append(f"{place_of(source)} becomes {place_of(target)}")

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "rename", renamed)
    directory.store.put_bytes("one/two", b"x")
    assert done == [
        "tmp/* is on the disk",
        "tmp/* becomes data/one/two/*",
        "data/one/two is on the disk",
        "data/one is on the disk",
        "data is on the disk",
        "objects is on the disk",
        "links/* becomes objects/one/two",
        "objects/one is on the disk",
    ]
    done.clear()
    directory.store.put_bytes("one/two", b"y")
    assert done == [
        "tmp/* is on the disk",
        "tmp/* becomes data/one/two/*",
        "data/one/two is on the disk",
        "links/* becomes objects/one/two",
        "objects/one is on the disk",
    ]


def test_a_root_that_is_a_file_says_what_to_set(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(MisconfiguredError, match="set another root"):
        DirectoryStore(tmp_path / "file" / "below")


def test_an_object_can_be_read_to_its_end_while_it_is_deleted(directory: DirectoryHarness) -> None:
    def chunks() -> Iterator[bytes]:
        yield from (bytes([number]) * 1_000_000 for number in range(5))

    ref = directory.store.put("deleted/meanwhile", chunks())
    with directory.store.open(ref) as reading:
        first = next(reading)
        directory.store.delete("deleted/meanwhile")
        assert len(first) + sum(map(len, reading)) == ref.size


def test_a_directory_gives_no_links_and_says_who_serves_it(directory: DirectoryHarness) -> None:
    ref = directory.store.put_bytes("not/signed", b"x")
    with pytest.raises(CannotSignError, match=r"not/signed .*request desk"):
        directory.store.sign(ref, expires=timedelta(hours=1))


KEYS = ("crowd/a", "crowd/b", "crowd/deep/c")


def test_a_crowd_of_writers_and_removers_leaves_whole_objects_and_nothing_else(directory: DirectoryHarness) -> None:
    def work(number: int) -> None:
        chance = Random(number)
        for turn in range(40):
            key, data = chance.choice(KEYS), f"{number} {turn}".encode()
            with suppress(ObjectExistsError, ObjectChangedError, ObjectMissingError):
                match chance.randrange(5):
                    case 0:
                        directory.store.create(key, data)
                    case 1:
                        directory.store.delete(key)
                    case 2:
                        old = directory.store.get(key)
                        directory.store.replace(key, data, expected=ref_of(key, old))
                    case _:
                        directory.store.put_bytes(key, data)

    with ThreadPoolExecutor(6) as crowd:
        list(crowd.map(work, range(6)))
    assert directory.leftovers() == []
    for info in directory.store.list(""):
        assert ref_of(info.key, directory.store.get(info.key)) == info.ref
        directory.store.delete(info.key)
    assert [list((directory.root / name).iterdir()) for name in ("objects", "data", "tmp")] == [[], [], []]


@pytest.mark.parametrize(
    "supersede", [lambda store, key: store.delete(key), lambda store, key: store.put_bytes(key, b"newer")]
)
def test_data_go_with_their_object_though_their_writer_still_waits_for_the_disk(
    supersede: Callable[[ObjectStore, str], object], directory: DirectoryHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    named, done, main = Event(), Event(), get_ident()

    def sync(path: str) -> None:
        if get_ident() != main and Path(path) == directory.root / "objects/slow":
            named.set()
            assert done.wait(60)
        sync_directory(path)

    monkeypatch.setattr(naming, "sync_directory", sync)
    with ThreadPoolExecutor(1) as slow:
        written = slow.submit(directory.store.put_bytes, "slow/disk", b"older")
        assert named.wait(60)
        supersede(directory.store, "slow/disk")
        done.set()
        written.result()
    assert directory.leftovers() == []

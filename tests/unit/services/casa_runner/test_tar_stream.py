"""The tar of a directory has the same bytes whenever and by whomever it is made, and any tar reads it."""

import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.casa_runner.tar_stream import ChangedWhileReadError, tar_bytes, tar_chunks

MTIME = 1_538_380_815


@pytest.fixture
def ms(tmp_path: Path) -> Path:
    folder = tmp_path / "uid___A002_X1_X2.ms.split.cal"
    (folder / "FIELD").mkdir(parents=True)
    (folder / "table.dat").write_bytes(b"main" * 1000)
    (folder / "FIELD" / "table.dat").write_bytes(b"")
    (folder / "FIELD" / ("n" * 120)).write_bytes(b"long name")
    return folder


def test_what_is_unpacked_is_what_was_packed(ms: Path, tmp_path: Path) -> None:
    archive = tmp_path / "x.tar"
    archive.write_bytes(b"".join(tar_chunks(ms, mtime=MTIME)))
    into = tmp_path / "unpacked"
    into.mkdir()
    subprocess.run(["tar", "-xf", archive, "-C", into], check=True)
    subprocess.run(["diff", "-r", ms, into / ms.name], check=True)


def test_every_member_bears_the_time_given_and_belongs_to_root(ms: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(b"".join(tar_chunks(ms, mtime=MTIME)))) as tar:
        members = tar.getmembers()
    assert {(member.mtime, member.uid, member.gid, member.uname) for member in members} == {(MTIME, 0, 0, "root")}
    assert [member.name for member in members] == sorted(member.name for member in members)
    assert {member.mode for member in members} == {0o755, 0o644}


def test_the_size_is_told_to_the_byte_where_names_are_long_and_folders_deep(ms: Path) -> None:
    deep = ms / ("deep" * 20) / ("deeper" * 20)
    deep.mkdir(parents=True)
    (deep / ("n" * 200)).write_bytes(b"x" * 1025)
    assert tar_bytes(ms, mtime=MTIME) == len(b"".join(tar_chunks(ms, mtime=MTIME)))


def test_times_and_modes_on_disk_do_not_change_the_bytes(ms: Path) -> None:
    before = b"".join(tar_chunks(ms, mtime=MTIME))
    (ms / "table.dat").chmod(0o600)
    os.utime(ms / "table.dat", (1, 1))
    assert b"".join(tar_chunks(ms, mtime=MTIME)) == before


@given(sizes=st.lists(st.integers(0, 3000), max_size=4), chunk=st.integers(1, 5000))
def test_the_pieces_are_of_the_size_asked_for_and_make_whole_records(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], chunk: int
) -> None:
    folder = tmp_path_factory.mktemp("ms")
    for number, size in enumerate(sizes):
        (folder / f"table.f{number}").write_bytes(b"x" * size)
    pieces = list(tar_chunks(folder, mtime=MTIME, chunk=chunk))
    assert all(len(piece) == chunk for piece in pieces[:-1])
    assert len(pieces[-1]) < chunk
    assert sum(map(len, pieces)) == tar_bytes(folder, mtime=MTIME)
    assert tar_bytes(folder, mtime=MTIME) % tarfile.RECORDSIZE == 0
    with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as tar:
        assert [member.size for member in tar if member.isfile()] == sizes


def test_a_file_that_grows_meanwhile_is_an_error(ms: Path) -> None:
    (ms / "table.f0").write_bytes(b"x" * 3_000_000)
    chunks = tar_chunks(ms, mtime=MTIME, chunk=1000)
    for _ in range(20):
        next(chunks)
    with (ms / "table.f0").open("ab") as file:
        file.write(b"more")
    with pytest.raises(ChangedWhileReadError, match=r"table\.f0 had 3000000 bytes"):
        list(chunks)


def test_a_link_is_refused(ms: Path) -> None:
    (ms / "link").symlink_to("/etc/passwd")
    with pytest.raises(ValueError, match="neither a file nor a directory"):
        list(tar_chunks(ms, mtime=MTIME))

"""Tars are unpacked without trusting them, by every Python 3.11."""

import io
import stat
import tarfile
from pathlib import Path

import pytest

from shared.tars import UnsafeTarError, extract


def tar_of(*members: tuple[tarfile.TarInfo, bytes]) -> tarfile.TarFile:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for member, data in members:
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return tarfile.open(fileobj=io.BytesIO(buffer.getvalue()))


def member(name: str, kind: bytes = tarfile.REGTYPE, *, mode: int = 0o4777, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.linkname, info.uid = kind, mode, link, 12345
    return info


def test_files_and_directories_come_out_as_our_own_with_plain_rights(tmp_path: Path) -> None:
    with tar_of((member("a.tbl", tarfile.DIRTYPE, mode=0o777), b""), (member("a.tbl/table.dat"), b"rows")) as tar:
        extract(tar, tmp_path)
    found = tmp_path / "a.tbl" / "table.dat"
    assert found.read_bytes() == b"rows"
    assert stat.S_IMODE(found.stat().st_mode) == 0o755
    assert found.stat().st_uid == tmp_path.stat().st_uid


@pytest.mark.parametrize(
    "bad",
    [
        member("/etc/cron.d/x"),
        member("a/../../x"),
        member("a", tarfile.SYMTYPE, link="/etc"),
        member("a", tarfile.SYMTYPE, link="b"),
        member("a", tarfile.LNKTYPE, link="b"),
        member("a", tarfile.CHRTYPE),
        member("a", tarfile.FIFOTYPE),
    ],
    ids=lambda info: f"{info.name}-{info.type!r}-{info.linkname}",
)
def test_whatever_would_leave_the_folder_or_is_no_plain_file_is_refused(bad: tarfile.TarInfo, tmp_path: Path) -> None:
    into = tmp_path / "into"
    into.mkdir()
    with tar_of((bad, b"")) as tar, pytest.raises(UnsafeTarError):
        extract(tar, into)
    assert list(into.iterdir()) == []
    assert list(tmp_path.iterdir()) == [into]


def test_only_what_is_chosen_comes_out(tmp_path: Path) -> None:
    with tar_of((member("a"), b"1"), (member("b"), b"2")) as tar:
        extract(tar, tmp_path, members=[info for info in tar if info.name == "b"])
    assert [path.name for path in tmp_path.iterdir()] == ["b"]

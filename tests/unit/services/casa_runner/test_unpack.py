"""Archives are unpacked without trust: only what is wanted, and nowhere else."""

import io
import tarfile
from pathlib import Path

import pytest

from contracts.reasons import ReasonCode
from services.casa_runner.unpack import unpack
from shared.errors import BlockFailedError

LIMIT = 10_000


def archive(folder: Path, *members: tarfile.TarInfo | tuple[str, bytes]) -> Path:
    path = folder / "x.caltables.tgz"
    with tarfile.open(path, "w:gz") as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                tar.addfile(info, io.BytesIO(member[1]))
    return path


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.fixture
def into(tmp_path: Path) -> Path:
    folder = tmp_path / "working"
    folder.mkdir()
    return folder


def test_only_what_is_wanted_is_unpacked(tmp_path: Path, into: Path) -> None:
    path = archive(tmp_path, ("a.tbl/table.dat", b"a"), ("./b.tbl/table.dat", b"b"), ("c.tbl/table.dat", b"c"))
    unpack(path, into, wanted={"a.tbl", "b.tbl"}, limit=LIMIT)
    assert sorted(path.relative_to(into).as_posix() for path in into.rglob("*")) == [
        "a.tbl",
        "a.tbl/table.dat",
        "b.tbl",
        "b.tbl/table.dat",
    ]


@pytest.mark.parametrize(
    "member",
    [
        ("a.tbl/../../escaped", b"x"),
        special("a.tbl/link", tarfile.SYMTYPE, "/etc/passwd"),
        special("a.tbl/link", tarfile.SYMTYPE, "../../escaped"),
        special("a.tbl/link", tarfile.LNKTYPE, "../escaped"),
        special("a.tbl/device", tarfile.CHRTYPE),
        special("a.tbl/pipe", tarfile.FIFOTYPE),
        ("a.tbl/big", b"0" * (LIMIT + 1)),
    ],
    ids=lambda member: member[0] if isinstance(member, tuple) else f"{member.name}-{member.type!r}-{member.linkname}",
)
def test_a_member_that_leads_out_or_is_too_big_fails_the_block(
    tmp_path: Path, into: Path, member: tarfile.TarInfo | tuple[str, bytes]
) -> None:
    path = archive(tmp_path, ("a.tbl/table.dat", b"a"), member)
    with pytest.raises(BlockFailedError) as raised:
        unpack(path, into, wanted={"a.tbl"}, limit=LIMIT)
    assert raised.value.reason is ReasonCode.CALTABLE_DAMAGED
    assert sorted(path.name for path in tmp_path.iterdir()) == ["working", "x.caltables.tgz"]
    assert {path.name for path in into.rglob("*")} <= {"a.tbl", "table.dat"}


def test_an_absolute_path_is_not_among_the_wanted(tmp_path: Path, into: Path) -> None:
    path = archive(tmp_path, ("a.tbl/table.dat", b"a"), (f"{tmp_path}/escaped", b"x"))
    unpack(path, into, wanted={"a.tbl"}, limit=LIMIT)
    assert not (tmp_path / "escaped").exists()


def test_a_table_that_the_archive_lacks_is_named(tmp_path: Path, into: Path) -> None:
    path = archive(tmp_path, ("a.tbl/table.dat", b"a"))
    with pytest.raises(BlockFailedError, match=r"missing: b\.tbl; x\.caltables\.tgz") as raised:
        unpack(path, into, wanted={"a.tbl", "b.tbl"}, limit=LIMIT)
    assert raised.value.reason is ReasonCode.CALTABLE_DAMAGED


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_cut_archive_fails_the_block(tmp_path: Path, into: Path, share: float) -> None:
    path = archive(tmp_path, ("a.tbl/table.dat", bytes(range(256)) * 20))
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(BlockFailedError) as raised:
        unpack(path, into, wanted={"a.tbl"}, limit=LIMIT)
    assert raised.value.reason is ReasonCode.CALTABLE_DAMAGED

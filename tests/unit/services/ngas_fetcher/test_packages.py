"""Tars and multipart messages as they stream: what is taken out of them, and what is refused."""

import io
import tarfile
from collections.abc import Iterator

import pytest

from services.ngas_fetcher.multipart_stream import multipart_parts
from services.ngas_fetcher.packed import inside
from services.ngas_fetcher.parts import PackageError
from services.ngas_fetcher.tar_stream import tar_parts
from tests.unit.services.ngas_fetcher.samples import EBS

HEAD = b'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="b1"\n\n'
BDF_WITH_BOUNDARIES = b"MIME-Version: 1.0\r\n\r\n--b2\r\ndata \r\n--b \r\n\r\n-- b1\r\n--b2--" + bytes(range(256)) * 50


def cut(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def tar_of(*members: tuple[tarfile.TarInfo, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        for info, data in members:
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def taken(parts: Iterator[object]) -> dict[str, bytes]:
    return {part.path: b"".join(part.chunks) for part in parts}  # type: ignore[attr-defined]  # both give parts


@pytest.mark.parametrize("size", [1 << 20, 512, 100, 7])
@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_every_file_of_a_tar_comes_out_whatever_the_chunks(size: int, form: int) -> None:
    long = "a/" * 20 + "b" * 90
    data = tar_of((member("Main.xml"), b"x" * 3000), (member(long), b"y"), (member("empty"), b""), form=form)
    assert taken(tar_parts(cut(data, size))) == {"Main.xml": b"x" * 3000, long: b"y", "empty": b""}


def test_files_that_nobody_takes_are_skipped() -> None:
    data = tar_of((member("a"), b"x" * 5000), (member("b"), b"y" * 10))
    assert [(part.path, part.size) for part in tar_parts(cut(data, 100))] == [("a", 5000), ("b", 10)]


@pytest.mark.parametrize(
    "hostile",
    [
        member("/etc/passwd"),
        member("../above"),
        member("a/../../above"),
        member("a\\b"),
        member("link", tarfile.SYMTYPE, "/etc/passwd"),
        member("link", tarfile.SYMTYPE, "beside"),
        member("link", tarfile.LNKTYPE, "a"),
        member("device", tarfile.CHRTYPE),
        member("device", tarfile.BLKTYPE),
        member("pipe", tarfile.FIFOTYPE),
    ],
    ids=lambda info: f"{info.type!r} {info.name}",
)
def test_what_no_asdm_holds_is_refused(hostile: tarfile.TarInfo) -> None:
    with pytest.raises(PackageError, match=r"unsafe name|no plain file"):
        taken(tar_parts(cut(tar_of((member("a"), b"x"), (hostile, b"")), 512)))


@pytest.mark.parametrize("kept", [300, 512, 700, 1024, 1536])
def test_a_tar_that_was_cut_off_is_refused_and_not_taken_as_shorter(kept: int) -> None:
    data = tar_of((member("a"), b"x" * 400), (member("b"), b"y" * 400))
    with pytest.raises(PackageError):
        taken(tar_parts(cut(data[:kept], 512)))


def test_garbage_in_the_middle_of_a_tar_is_no_end_of_it() -> None:
    data = bytearray(tar_of((member("a"), b"x" * 512), (member("b"), b"y" * 512)))
    data[1024 + 148 : 1024 + 156] = b"garbage!"
    with pytest.raises(PackageError, match="unreadable header"):
        taken(tar_parts(cut(bytes(data), 512)))


def test_an_endless_extended_header_is_refused_before_it_is_read() -> None:
    info = member("x", tarfile.XHDTYPE)
    info.size = (8 << 30) - 1
    with pytest.raises(PackageError, match="extended header of 8589934591 bytes"):
        taken(tar_parts(cut(info.tobuf(tarfile.USTAR_FORMAT) + bytes(4096), 512)))


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
@pytest.mark.parametrize("size", [1 << 20, 64, 5, 1])
def test_every_part_of_a_message_comes_out_whatever_the_chunks(newline: bytes, size: int) -> None:
    def part(name: bytes, data: bytes) -> bytes:
        return b"--b1" + newline + name + newline * 2 + data + newline

    message = HEAD + b"preamble" + newline
    message += part(b"Content-Location: Main.xml", b"<MainTable/>")
    message += part(b"Content-ID: <SysCal.bin>", b"\n\r\n--b\n")
    message += part(b"Content-Location: uid://A002/Xc7111c/X1", BDF_WITH_BOUNDARIES)
    message += part(b'Content-Disposition: attachment; filename="Antenna.xml"', b"")
    message += b"--b1--" + newline + b"epilogue"
    assert taken(multipart_parts(cut(message, size))) == {
        "Main.xml": b"<MainTable/>",
        "SysCal.bin": b"\n\r\n--b\n",
        "ASDMBinary/uid___A002_Xc7111c_X1": BDF_WITH_BOUNDARIES,
        "Antenna.xml": b"",
    }


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (b"<html>no</html>", "cut off"),
        (b"Content-Type: text/plain\n\nx", "no multipart message"),
        (HEAD + b"--b1\nContent-Location: ../x.xml\n\nx\n--b1--", "no ASDM has: ../x.xml"),
        (HEAD + b"--b1\nContent-Location: /etc/passwd\n\nx\n--b1--", "no ASDM has"),
        (HEAD + b"--b1\nContent-Type: text/xml\n\nx\n--b1--", "without a name"),
        (HEAD + b"--b1\nContent-Location: Main.xml\n\nx", "cut off"),
        (HEAD + b"--b1\nContent-Location: Main.xml\n\nx\n--b1\n", "cut off"),
        (HEAD + b"--b1 what\n\n", "something behind it"),
        (b"X: " + b"y" * 70_000, "header of more than"),
    ],
)
def test_a_message_that_cannot_be_an_asdm_is_refused(message: bytes, told: str) -> None:
    with pytest.raises(PackageError, match=told):
        taken(multipart_parts(cut(message, 1000)))


@pytest.mark.parametrize(
    ("path", "within"),
    [
        ("Main.xml", "Main.xml"),
        (f"{EBS[0].file_form}/Main.xml", "Main.xml"),
        (f"2017.1/raw/{EBS[0].file_form}.asdm.sdm/ASDMBinary/b", "ASDMBinary/b"),
        (f"ASDMBinary/{EBS[0].file_form}", f"ASDMBinary/{EBS[0].file_form}"),
    ],
)
def test_the_asdms_own_directory_is_found_in_a_package(path: str, within: str) -> None:
    assert inside(path, EBS[0]) == within

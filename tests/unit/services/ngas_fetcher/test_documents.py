"""NgamsStatus documents, as servers write them and as nobody should."""

import pytest

from services.ngas_fetcher.checksums import Checksum, ChecksumKind
from services.ngas_fetcher.documents import FileRecord, UnreadableDocumentError, read_status

PROLOGUE = '<?xml version="1.0" ?>\n<!DOCTYPE NgamsStatus SYSTEM "http://h:1/RETRIEVE?internal=ngamsStatus.dtd">\n'


def document(inner: str, prologue: str = PROLOGUE) -> bytes:
    return f"{prologue}<NgamsStatus>{inner}</NgamsStatus>".encode()


def failure(state: str, message: str) -> bytes:
    return document(f'<Status Status="FAILURE" State="{state}" Message="{message}"/>')


def test_records_of_files_are_read() -> None:
    status = read_status(
        document(
            '<Status Status="SUCCESS" State="ONLINE" Message="ok"/><DiskStatus DiskId="d">'
            '<FileStatus FileId="a" FileVersion="3" FileSize="9" Checksum="-1" ChecksumPlugIn="crc32"/></DiskStatus>'
        )
    )
    record = FileRecord(file_id="a", version=3, size=9, checksum=Checksum(ChecksumKind.CRC32, 0xFFFFFFFF))
    assert (status.succeeded, status.files) == (True, (record,))


@pytest.mark.parametrize(
    ("state", "message", "missing"),
    [
        ("ONLINE", "NGAMS_ER_UNAVAIL_FILE:4019:ERROR: no such file", True),
        ("OFFLINE", "NGAMS_ER_UNAVAIL_FILE:4019:ERROR: no such file", False),
        ("ONLINE", "NGAMS_ER_RETRIEVE_CMD:4018:ERROR: problem", False),
        ("ONLINE", "something about 4019", False),
    ],
)
def test_only_an_online_server_says_that_a_file_is_missing(state: str, message: str, missing: bool) -> None:
    assert read_status(failure(state, message)).says_file_is_missing is missing


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html>busy</html>",
        b"<NgamsStatus/>",
        document('<Status Status="SUCCESS"/><DiskStatus><FileStatus FileId="a"/></DiskStatus>'),
        document("<Status/>", '<!DOCTYPE NgamsStatus [<!ENTITY x "y">]>'),
    ],
)
def test_anything_else_is_no_document(data: bytes) -> None:
    with pytest.raises(UnreadableDocumentError):
        read_status(data)

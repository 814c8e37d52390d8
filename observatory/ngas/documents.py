"""What an NGAS server writes: NgamsStatus documents and the answers to QUERY."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.etree import ElementTree

from observatory.ngas.archive import StoredFile

VERSION = "v12.0/2024-01-01T00:00:00"
DISK_ID = "observatory-volume1"
_STORED_STATUS = "00000000"
_PROLOGUE = """<?xml version="1.0" ?>
<!DOCTYPE NgamsStatus SYSTEM "http://{address}/RETRIEVE?internal=ngamsStatus.dtd">
"""


@dataclass(frozen=True, kw_only=True)
class Voice:
    """Who speaks, and in which state."""

    host_id: str
    address: str
    offline: bool = False


def status_document(voice: Voice, message: str, *, failed: bool = False, files: Iterable[StoredFile] = ()) -> bytes:
    """Write an ``NgamsStatus`` document.

    Parameters
    ----------
    voice
        The server that answers.
    message
        The text; a failure's begins with its code.
    failed
        Whether the command failed.
    files
        Files whose records are shown.
    """
    root = ElementTree.Element("NgamsStatus")
    ElementTree.SubElement(
        root,
        "Status",
        Date=_now(),
        HostId=voice.host_id,
        Message=message,
        State="OFFLINE" if voice.offline else "ONLINE",
        Status="FAILURE" if failed else "SUCCESS",
        SubState="IDLE",
        Version=VERSION,
    )
    files = tuple(files)
    if files:
        disk = ElementTree.SubElement(
            root, "DiskStatus", Archive="OBSERVATORY", DiskId=DISK_ID, HostId=voice.host_id, MountPoint="/volume1"
        )
        for file in files:
            ElementTree.SubElement(disk, "FileStatus", _file_attributes(file))
    return _PROLOGUE.format(address=voice.address).encode() + ElementTree.tostring(root)


def _file_attributes(file: StoredFile) -> dict[str, str]:
    return {
        "Checksum": file.checksum,
        "ChecksumPlugIn": file.checksum_plugin,
        "Compression": "",
        "FileId": file.file_id,
        "FileName": file.path,
        "FileSize": str(file.size),
        "FileStatus": _STORED_STATUS,
        "FileVersion": str(file.version),
        "Format": content_type(file.file_id),
        "Ignore": "0",
        "IngestionDate": file.ingested,
        "UncompressedFileSize": str(file.size),
    }


def content_type(file_id: str) -> str:
    """Guess the type that NGAS has configured for a file's name."""
    for ending, mime_type in ((".xml", "text/xml"), (".tgz", "application/x-gzip"), (".tar", "application/x-tar")):
        if file_id.endswith(ending):
            return mime_type
    return "application/octet-stream"


FILE_COLUMNS = (
    "disk_id",
    "file_name",
    "file_id",
    "file_version",
    "format",
    "file_size",
    "uncompressed_file_size",
    "compression",
    "ingestion_date",
    "file_ignore",
    "checksum",
    "checksum_plugin",
    "file_status",
    "creation_date",
)
LOCATION_COLUMNS = ("file_full_path", "file_version", "creation_date", "ingestion_date")
"""The labels of a real server, whose location queries give the host first: every value stands one label off."""

Row = tuple[object, ...]


def query_rows(query: str, like: str, files: Sequence[StoredFile], host_id: str) -> tuple[Sequence[str], list[Row]]:
    """Answer one of the named queries with column labels and rows.

    Raises
    ------
    KeyError
        If there is no such query.
    """
    pattern = like_pattern(like)
    matching = [file for file in files if query == "files_list" or pattern.fullmatch(file.file_id)]
    newest = {file.file_id: file for file in matching}
    known: dict[str, tuple[Sequence[str], list[Row]]] = {
        "files_list": (FILE_COLUMNS, [_file_row(file) for file in matching]),
        "files_like": (FILE_COLUMNS, [_file_row(file) for file in matching]),
        "files_location": (
            LOCATION_COLUMNS,
            [(host_id, f"/{file.path}", file.version, file.ingested) for file in matching],
        ),
        "lastver_location": (
            LOCATION_COLUMNS,
            [(host_id, f"/{file.path}", file.version, file.ingested, file.ingested) for file in newest.values()],
        ),
    }
    return known[query]


def _file_row(file: StoredFile) -> Row:
    return (
        DISK_ID,
        file.path,
        file.file_id,
        file.version,
        content_type(file.file_id),
        file.size,
        file.size,
        "",
        file.ingested,
        0,
        file.checksum,
        file.checksum_plugin,
        _STORED_STATUS,
        file.ingested,
    )


def like_pattern(like: str) -> re.Pattern[str]:
    """Translate an SQL LIKE pattern, in which case does not count (SQLite)."""
    return re.compile(
        "".join({"%": ".*", "_": "."}.get(character, re.escape(character)) for character in like), re.I | re.S
    )


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]

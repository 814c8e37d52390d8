"""Read the NgamsStatus documents of an NGAS server."""

import re
from dataclasses import dataclass

from lxml import etree

from services.ngas_fetcher.checksums import Checksum

UNKNOWN_FILE = 4019
IMPROPER_STATE = 4015
ILLEGAL_PROCESSING = 4034


@dataclass(frozen=True, kw_only=True)
class FileRecord:
    """What a server has recorded of a version of a file."""

    file_id: str
    version: int
    size: int
    checksum: Checksum | None


@dataclass(frozen=True, kw_only=True)
class NgamsStatus:
    """A server's answer.

    Attributes
    ----------
    code
        The number in a failure's message, e.g. 4019; None if it has none.
    """

    succeeded: bool
    state: str
    code: int | None
    message: str
    files: tuple[FileRecord, ...]

    @property
    def says_file_is_missing(self) -> bool:
        """Whether the file is really unknown: while a server is OFFLINE it says so of every file."""
        return not self.succeeded and self.code == UNKNOWN_FILE and self.state == "ONLINE"


class UnreadableDocumentError(ValueError):
    """An answer is no NgamsStatus document."""


def read_status(data: bytes) -> NgamsStatus:
    """Read an ``NgamsStatus`` document.

    Raises
    ------
    UnreadableDocumentError
        If it is none, or its records are incomplete.
    """
    try:
        root = _parse(data)
        status = root.find("Status")
        if root.tag != "NgamsStatus" or status is None:
            raise UnreadableDocumentError(f"not an NgamsStatus document but <{root.tag}>")
        message = status.get("Message", "")
        code = re.match(r"[A-Z_]+:(\d+):", message)
        return NgamsStatus(
            succeeded=status.get("Status") == "SUCCESS",
            state=status.get("State", ""),
            code=int(code[1]) if code else None,
            message=message,
            files=tuple(
                FileRecord(
                    file_id=str(file.attrib["FileId"]),
                    version=int(file.attrib["FileVersion"]),
                    size=int(file.attrib["FileSize"]),
                    checksum=Checksum.recorded(file.get("ChecksumPlugIn"), file.get("Checksum")),
                )
                for file in root.findall("DiskStatus/FileStatus")
            ),
        )
    except (ValueError, KeyError, etree.XMLSyntaxError) as error:
        raise UnreadableDocumentError(f"unreadable NgamsStatus document: {error}") from error


def _parse(data: bytes) -> etree._Element:
    """Parse without following anything: a real server's documents name a DTD, which is never fetched."""
    if b"<!ENTITY" in data:
        raise UnreadableDocumentError("the document declares entities")
    return etree.fromstring(
        data, etree.XMLParser(resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False)
    )

"""Whether an ASDM has all the binary data that its Main table names, and whether a binary file is whole."""

import os
import re
from collections.abc import Collection, Iterable
from pathlib import Path

from lxml import etree

from contracts.identifiers import ExecBlockUid
from contracts.reasons import ReasonCode
from shared.errors import BlockFailedError

MAIN_TABLE = "Main.xml"
BINARY_DIRECTORY = "ASDMBinary"
_ENTITY_PARENTS = ("dataUID", "dataOid")
_HEAD, _TAIL = 4096, 1024
_MESSAGE = b"MIME-Version"
_BOUNDARY = re.compile(rb"""^Content-Type:[^\r\n]*?boundary="?([^"\s;]+)""", re.IGNORECASE | re.MULTILINE)


class UnreadableMainTableError(ValueError):
    """Main.xml is not XML."""


def check_complete(eb_uid: ExecBlockUid, main_table: Iterable[bytes], paths: Collection[str]) -> frozenset[str]:
    """See that all binary data that an ASDM's Main table names are among its files, and tell their paths.

    Raises
    ------
    BlockFailedError
        If not, or if the table cannot be read.
    """
    try:
        named = binary_paths(main_table)
    except UnreadableMainTableError as error:
        raise BlockFailedError(ReasonCode.ASDM_INCOMPLETE, f"{eb_uid}: {error}") from error
    lacking = sorted(named - set(paths))
    if lacking:
        raise BlockFailedError(
            ReasonCode.ASDM_INCOMPLETE,
            f"{eb_uid}: {MAIN_TABLE} names {len(named)} binary files, "
            f"{len(lacking)} of them are not among its files: {', '.join(lacking[:5])}",
        )
    return named


def check_whole(eb_uid: ExecBlockUid, folder: Path, paths: Iterable[str]) -> None:
    """See that binary files of an ASDM on disk were written to their end: for what comes without a checksum.

    A binary file is a MIME message, whose last boundary closes it. CASA imports one that
    was cut off as if the rows that it lacks had never been observed.

    Raises
    ------
    BlockFailedError
        If one is empty or was cut off.
    """
    cut = [path for path in sorted(paths) if not _is_closed(folder / path)]
    if cut:
        raise BlockFailedError(
            ReasonCode.ASDM_INCOMPLETE,
            f"{eb_uid}: {len(cut)} of its binary files are empty or cut off: {', '.join(cut[:5])}",
        )


def _is_closed(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(_HEAD)
        file.seek(max(0, path.stat().st_size - _TAIL), os.SEEK_SET)
        tail = file.read()
    if not _MESSAGE.startswith(head[: len(_MESSAGE)]):
        return True  # no message: nobody knows how it ends
    boundary = _BOUNDARY.search(head)
    return boundary is not None and tail.rstrip().endswith(b"--" + boundary[1] + b"--")


def binary_paths(chunks: Iterable[bytes]) -> frozenset[str]:
    """Read from ``Main.xml`` where below the ASDM's directory its binary data must lie.

    Parameters
    ----------
    chunks
        The table, in pieces; memory does not grow with its rows.

    Raises
    ------
    UnreadableMainTableError
        If it is not well-formed.
    """
    parser = etree.XMLPullParser(
        events=("end",), tag=("{*}row", "{*}EntityRef"), resolve_entities=False, load_dtd=False, no_network=True
    )
    found: set[str] = set()
    try:
        for chunk in chunks:
            parser.feed(chunk)
            found |= _named(parser)
        parser.close()
    except etree.XMLSyntaxError as error:
        raise UnreadableMainTableError(f"{MAIN_TABLE} is not well-formed: {error.msg}") from error
    return frozenset(found | _named(parser))


def _named(parser: etree.XMLPullParser) -> set[str]:
    found = set()
    for _, element in parser.read_events():
        if not isinstance(element, etree._Element):
            continue
        if etree.QName(element).localname == "row":
            element.clear()
            continue
        parent, entity = element.getparent(), element.get("entityId")
        if parent is not None and etree.QName(parent).localname in _ENTITY_PARENTS and entity:
            found.add(f"{BINARY_DIRECTORY}/{entity.replace(':', '_').replace('/', '_')}")
    return found

"""Whether an ASDM has all the binary data that its Main table names."""

from collections.abc import Collection, Iterable

from lxml import etree

from contracts.identifiers import ExecBlockUid
from contracts.reasons import ReasonCode
from shared.errors import BlockFailedError

MAIN_TABLE = "Main.xml"
BINARY_DIRECTORY = "ASDMBinary"
_ENTITY_PARENTS = ("dataUID", "dataOid")


class UnreadableMainTableError(ValueError):
    """Main.xml is not XML."""


def check_complete(eb_uid: ExecBlockUid, main_table: Iterable[bytes], paths: Collection[str]) -> None:
    """See that all binary data that an ASDM's Main table names are among its files.

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

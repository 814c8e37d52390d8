"""Whether an ASDM has all the binary data that its Main table names."""

from collections.abc import Iterable

from lxml import etree

MAIN_TABLE = "Main.xml"
_BINARY_DIRECTORY = "ASDMBinary"
_ENTITY_PARENTS = ("dataUID", "dataOid")


class UnreadableMainTableError(ValueError):
    """Main.xml is not XML."""


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
            found.add(f"{_BINARY_DIRECTORY}/{entity.replace(':', '_').replace('/', '_')}")
    return found

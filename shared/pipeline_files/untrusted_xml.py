"""Reads XML that somebody else wrote, within limits and without following anything that it refers to."""

from functools import cache

from lxml import etree

MAX_BYTES = 16 * 2**20
MAX_DEPTH = 64


class UnsafeXmlError(ValueError):
    """The bytes are not XML that we read; the text says what and where."""


def read_xml(data: bytes, *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH) -> etree._Element:
    """Parse a document and return its root element.

    Entities are not resolved and a document type is refused altogether, since
    none of ALMA's files has one and it is the way to have a parser fetch or
    expand things. Comments, CDATA sections and processing instructions stay as
    they are, since whether there is one matters to the pipeline.

    Parameters
    ----------
    data
        The document.
    max_bytes, max_depth
        Size in bytes and nesting of elements up to which a document is read.

    Raises
    ------
    UnsafeXmlError
        If it is too large or too deep, has a document type, or is not well-formed.
    """
    if len(data) > max_bytes:
        raise UnsafeXmlError(f"the document has {len(data)} bytes, more than the {max_bytes} that are read")
    # remove_blank_text stays off: a blank text node is content to the pipeline's parser.
    parser = etree.XMLParser(
        resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False, strip_cdata=False
    )
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise UnsafeXmlError(f"not well-formed XML: {error.msg}") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise UnsafeXmlError("the document has a document type (DOCTYPE), which is not read; remove it")
    if _is_deeper(root, max_depth):
        raise UnsafeXmlError(f"elements are nested more than {max_depth} deep")
    return root


def _is_deeper(root: etree._Element, depth: int) -> bool:
    """Whether elements are nested deeper; an eighth of the time that parsing takes."""
    try:
        return bool(_deeper_than(depth)(root))
    except etree.XPathEvalError as error:  # ten millions of siblings
        raise UnsafeXmlError(f"the document has too many elements ({error})") from error


@cache
def _deeper_than(depth: int) -> etree.XPath:
    return etree.XPath(f"boolean({'/*' * (depth + 1)})")

"""Parses a request's XML: within our limits, and only what the pipeline's own parser takes too."""

from xml.parsers import expat

from lxml import etree

from shared.pipeline_files.ppr.rules import PprError, is_readable_name
from shared.pipeline_files.untrusted_xml import UnsafeXmlError, read_xml

MAX_BYTES = 4 * 2**20
MAX_DEPTH = 32


def parse(data: bytes) -> etree._Element:
    """Return the root element of a request.

    Raises
    ------
    PprError
        With rule ``xml`` if it is no XML that we read or that the pipeline's parser reads, or another document.
    """
    try:
        root = read_xml(data, max_bytes=MAX_BYTES, max_depth=MAX_DEPTH)
    except UnsafeXmlError as error:
        raise PprError("xml", str(error)) from error
    name = local_name(root)
    if name != "SciPipeRequest":
        raise PprError("xml", f"the root element is <{name}>, not <SciPipeRequest>: this is no PPR")
    _check_expat(data)
    return root


def local_name(element: etree._Element) -> str:
    """Return an element's name without prefix and namespace."""
    return etree.QName(element).localname


def unreadable_names(root: etree._Element) -> list[str]:
    """Return the names of elements, also of such as nobody looks at, that end the pipeline's reader.

    It makes Python attributes of elements, by their names and, a second time, with ``_obj`` at the end.
    """
    names = {local_name(element) for element in root.iter(etree.Element)}
    found = {name for name in names if not is_readable_name(name)}
    if any(name.endswith("_obj") for name in names):
        for holder in root.iter(etree.Element):
            inside = {local_name(child) for child in holder.iterchildren(etree.Element)}
            found |= {name for name in inside if name.endswith("_obj") and name.removesuffix("_obj") in inside}
    return sorted(found)


def _check_expat(data: bytes) -> None:
    """Refuse what the pipeline's parser, Expat, cannot read: it knows few encodings.

    A document type, by which a parser could be harmed, was refused before.
    """
    try:
        expat.ParserCreate(namespace_separator=" ").Parse(data, True)
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise PprError("xml", f"the pipeline's XML parser would end at it: {error}; write it in UTF-8") from error

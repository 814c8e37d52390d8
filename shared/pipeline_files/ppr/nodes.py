"""Elements of a request as the pipeline's own reader gives them: by bare name, one or many, with texts cast."""

from lxml import etree

from shared.pipeline_files.ppr.rules import PprError, Value, cast, is_readable_name
from shared.pipeline_files.untrusted_xml import UnsafeXmlError, read_xml

MAX_BYTES = 4 * 2**20
MAX_DEPTH = 32


class NotThereError(Exception):
    """An element cannot be read as one that is there once and holds plain text; the text says why."""


class Node:
    """An element whose children are found by their names without prefix."""

    def __init__(self, element: etree._Element) -> None:
        self._element = element

    def all(self, tag: str) -> list["Node"]:
        """Return all children of this name."""
        return [
            Node(child) for child in self._element if isinstance(child.tag, str) and etree.QName(child).localname == tag
        ]

    def all_in(self, holder: str, tag: str) -> list["Node"]:
        """Return the children of the one child ``holder``; none if that is not there once."""
        found = self.all(holder)
        return found[0].all(tag) if len(found) == 1 else []

    def at(self, *tags: str) -> "Node":
        """Return what lies at a path of children.

        Raises
        ------
        NotThereError
            If there is none, or are several, at a step.
        """
        node = self
        for tag in tags:
            found = node.all(tag)
            if len(found) != 1:
                raise NotThereError(f"{node.where} has {len(found)} <{tag}> elements")
            node = found[0]
        return node

    def value(self) -> Value:
        """Return the text, cast.

        Raises
        ------
        NotThereError
            If it is empty, or holds anything but plain text.
        """
        if len(self._element) or b"<![CDATA[" in etree.tostring(self._element, with_tail=False):
            raise NotThereError(f"{self.where} holds more than plain text")
        if not self._element.text:
            raise NotThereError(f"{self.where} is empty")
        return _read(self._element.text)

    def attribute(self, name: str) -> Value:
        """Return an attribute, cast; empty if there is none."""
        return _read(self._element.get(name, ""))

    def unreadable_names(self) -> list[str]:
        """Return the names of elements, its own and all below, at which the pipeline's reader ends."""
        names = {etree.QName(element).localname for element in self._element.iter(etree.Element)}
        return sorted(name for name in names if not is_readable_name(name))

    @property
    def is_empty(self) -> bool:
        """Whether it holds nothing at all."""
        return not len(self._element) and not self._element.text

    @property
    def where(self) -> str:
        """The element's name and line."""
        return f"<{etree.QName(self._element).localname}> in line {self._element.sourceline}"


def _read(text: str) -> Value:
    """Cast a text; one that only begins like a collection stays what it is."""
    try:
        return cast(text)
    except PprError:
        return text


def read_root(data: bytes) -> Node:
    """Parse a request.

    Raises
    ------
    PprError
        With rule ``xml`` if it is no XML that we read, or another document.
    """
    try:
        root = read_xml(data, max_bytes=MAX_BYTES, max_depth=MAX_DEPTH)
    except UnsafeXmlError as error:
        raise PprError("xml", str(error)) from error
    name = etree.QName(root).localname
    if name != "SciPipeRequest":
        raise PprError("xml", f"the root element is <{name}>, not <SciPipeRequest>: this is no PPR")
    return Node(root)

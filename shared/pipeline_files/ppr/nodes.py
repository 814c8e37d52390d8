"""Elements of a request as the pipeline's own reader gives them: by bare name, one or many, with texts cast."""

from lxml import etree

from shared.pipeline_files.ppr.document import local_name
from shared.pipeline_files.ppr.rules import PprError, Value, cast


class NotThereError(Exception):
    """An element cannot be read as one that is there once and holds plain text; the text says why."""


class Node:
    """An element whose children are found by their names without prefix."""

    def __init__(self, element: etree._Element) -> None:
        self._element = element

    def all(self, tag: str) -> list["Node"]:
        """Return all children of this name."""
        return [Node(child) for child in self._element if isinstance(child.tag, str) and local_name(child) == tag]

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
            If it is empty, holds anything but plain text, or ends the reader.
        """
        if len(self._element) or b"<![CDATA[" in etree.tostring(self._element, with_tail=False):
            raise NotThereError(f"{self.where} holds more than plain text")
        if not self._element.text:
            raise NotThereError(f"{self.where} is empty")
        return self._cast(self._element.text)

    def attribute(self, name: str) -> Value:
        """Return an attribute, cast; empty if there is none.

        Raises
        ------
        NotThereError
            If it ends the reader.
        """
        return self._cast(self._element.get(name, ""))

    @property
    def is_empty(self) -> bool:
        """Whether it holds nothing at all."""
        return not len(self._element) and not self._element.text

    @property
    def where(self) -> str:
        """The element's name and line."""
        return f"<{local_name(self._element)}> in line {self._element.sourceline}"

    def _cast(self, text: str) -> Value:
        try:
            return cast(text)
        except PprError as error:
            raise NotThereError(f"{self.where}: {error.detail}") from error

"""Where fetched files go: the object store, or a directory of a person's."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from contracts.messages.parts import ObjectRef
from shared.objects import ObjectInfo


class Target(Protocol):
    """The part of `shared.objects.ObjectStore` that a fetch needs, with the same promises."""

    def put(self, key: str, chunks: Iterable[bytes], *, at_most: int | None = None) -> ObjectRef:
        """Store a stream of no more bytes than these; nothing is visible if it raises."""

    def open(self, ref: ObjectRef) -> AbstractContextManager[Iterator[bytes]]:
        """Stream what was stored, checked against the reference at the end."""

    def info(self, key: str) -> ObjectInfo | None:
        """Tell what is stored under a key, or None."""

    def delete(self, key: str) -> None:
        """Remove what is stored under a key, if anything is."""

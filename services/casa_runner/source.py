"""What a restore reads from the store, for as long as it is wanted."""

from collections.abc import Callable
from pathlib import Path

from contracts.messages.parts import ObjectRef
from shared.objects import ObjectStore


def go_on() -> None:
    """Have no reason to end."""


class Source:
    """Reads from the store, and asks at each object and each chunk whether it is to go on.

    Parameters
    ----------
    objects
        The store.
    heed
        Asked; what it raises ends the reading, and no file appears.
    """

    def __init__(self, objects: ObjectStore, *, heed: Callable[[], None] = go_on) -> None:
        self._objects = objects
        self.heed = heed

    def read(self, ref: ObjectRef) -> bytes:
        """Read a small object whole, checked against the reference."""
        self.heed()
        return self._objects.read(ref)

    def fetch_to(self, ref: ObjectRef, path: Path) -> None:
        """Write an object to a file; see `ObjectStore.fetch_to`."""
        self.heed()
        self._objects.fetch_to(ref, path, heed=self.heed)

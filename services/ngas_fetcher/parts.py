"""What a package (tar or multipart message) is made of, and how its stream is read."""

from collections.abc import Iterator
from dataclasses import dataclass


class PackageError(ValueError):
    """A package cannot be read, or holds what it must not hold."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """A file in a package.

    Attributes
    ----------
    path
        As the package names it; a plain relative path.
    size
        Bytes, if the package says so.
    chunks
        Its bytes; to be taken before the next part is asked for.
    """

    path: str
    size: int | None
    chunks: Iterator[bytes]


class PartReader:
    """Reads chunks of any size as a file.

    Parameters
    ----------
    chunks
        The stream.
    """

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._held = b""

    def read(self, size: int) -> bytes:
        """Read so many bytes, fewer only at the end."""
        if len(self._held) >= size:
            taken, self._held = self._held[:size], self._held[size:]
            return taken
        pieces, length = [self._held], len(self._held)
        for chunk in self._chunks:
            pieces.append(chunk)
            length += len(chunk)
            if length >= size:
                break
        joined = b"".join(pieces)
        self._held = joined[size:]
        return joined[:size]

    def drain(self) -> None:
        """Read to the end, and forget it."""
        self._held = b""
        for _ in self._chunks:
            pass

"""The files of an ASDM out of one multipart message, while it streams.

A message has the header of MIME, a boundary in it, and one part per file. Tables carry
their names, binary data their UIDs, in ``Content-Location``, ``Content-ID`` or a ``name``.
Only names that an ASDM can have are taken; binary data are messages themselves, with
boundaries of their own, and are passed on as they are.
"""

import re
from collections.abc import Iterable, Iterator
from email.message import Message
from email.parser import BytesHeaderParser

from services.ngas_fetcher.completeness import BINARY_DIRECTORY
from services.ngas_fetcher.parts import PackageError, Part

_MAX_HEADER = 64 << 10
_TABLE = re.compile(r"[A-Z][A-Za-z0-9]{1,63}\.(?:xml|bin)")
_BINARY = re.compile(r"uid(?:://|___)([A-Z]\w{1,15})[/_](X[0-9a-fA-F]{1,16})[/_](X[0-9a-fA-F]{1,16})(?:/\w+\.bin)?")


def multipart_parts(chunks: Iterable[bytes]) -> Iterator[Part]:
    """Go through the files of a message; the bytes of each must be taken before the next is asked for.

    Raises
    ------
    PackageError
        If it is no multipart message, or holds a part that an ASDM cannot have.
    """
    window = _Window(iter(chunks))
    boundary = _boundary(_header(window))
    _skip(window.until(b"--" + boundary))
    while not window.is_last_boundary():
        header = _header(window)
        content = window.until(b"\r\n--" + boundary, b"\n--" + boundary)
        yield Part(path=_path(header), size=None, chunks=content)
        _skip(content)
    window.drain()


class _Window:
    """The part of the stream that is looked at; it grows only as far as it must."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._held = bytearray()

    def more(self) -> bool:
        """Take the next chunk in, if there is one."""
        chunk = next(self._chunks, None)
        if chunk is None:
            return False
        self._held += chunk
        return True

    def need(self, size: int) -> None:
        """Hold so many bytes."""
        while len(self._held) < size:
            if not self.more():
                raise PackageError("the multipart message ends before its last boundary: it was cut off")

    def is_last_boundary(self) -> bool:
        """Read what follows a boundary: two hyphens after the last one, else the end of its line."""
        self.need(2)
        if self._held[:2] == b"--":
            return True
        while (end := self._held.find(b"\n")) < 0:
            self.need(len(self._held) + 1)
        if bytes(self._held[:end]).strip():
            raise PackageError("the multipart message has a boundary with something behind it")
        del self._held[: end + 1]
        return False

    def header(self) -> bytes:
        """Read up to the first empty line."""
        while (found := re.search(rb"\r?\n\r?\n", self._held)) is None:
            if len(self._held) > _MAX_HEADER:
                raise PackageError(f"the multipart message has a header of more than {_MAX_HEADER} bytes")
            self.need(len(self._held) + 1)
        header = bytes(self._held[: found.start()])
        del self._held[: found.end()]
        return header

    def until(self, *marks: bytes) -> Iterator[bytes]:
        """Pass on what comes before the first of the marks, and read the mark itself."""
        longest = max(map(len, marks))
        while True:
            places = [(place, -len(mark)) for mark in marks if (place := self._held.find(mark)) >= 0]
            if places:
                place, length = min(places)
                before = bytes(self._held[:place])
                del self._held[: place - length]
                if before:
                    yield before
                return
            safe = len(self._held) - longest
            if safe > 0:
                before = bytes(self._held[:safe])
                del self._held[:safe]
                yield before
            self.need(len(self._held) + 1)

    def drain(self) -> None:
        """Read to the end, and forget it."""
        self._held.clear()
        while self.more():
            self._held.clear()


def _header(window: _Window) -> Message:
    return BytesHeaderParser().parsebytes(window.header())


def _boundary(header: Message) -> bytes:
    boundary = header.get_boundary()
    if header.get_content_maintype() != "multipart" or not boundary:
        raise PackageError(f"no multipart message with a boundary but {header.get('Content-Type')!r}")
    return boundary.encode()


def _path(header: Message) -> str:
    """Find the name that an ASDM can have among those that a part gives itself."""
    given = [header.get("Content-Location"), header.get("Content-ID"), header.get_filename(), header.get_param("name")]
    names = [str(name).strip().strip("<>").removeprefix("file:") for name in given if name]
    for name in names:
        if _TABLE.fullmatch(name):
            return name
        if found := _BINARY.fullmatch(name):
            return f"{BINARY_DIRECTORY}/uid___{'_'.join(found.groups())}"
    raise PackageError(f"the multipart message has a part that no ASDM has: {', '.join(names) or 'without a name'}")


def _skip(chunks: Iterator[bytes]) -> None:
    for _ in chunks:
        pass

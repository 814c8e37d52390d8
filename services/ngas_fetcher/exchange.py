"""One HTTP/1.0 request and its reply, as NGAS speaks it: a connection of its own, its bytes taken in large pieces.

NGAS closes the connection after each reply, so a pool of them has nothing to keep. A piece is
asked for with one call that returns when it is full: for a large file that is a call for every
megabyte, where buffered readers make dozens, and the bytes are copied once.
"""

import math
import re
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import TracebackType
from typing import Self
from urllib.parse import SplitResult

from services.ngas_fetcher.addresses import PORTS
from services.ngas_fetcher.line import Connector, Line
from services.ngas_fetcher.stop import Stop

_HEAD_PIECE = 4096
_LONGEST_HEAD = 64 << 10
_ONE_PIECE = 256 << 10
"""Bytes of a body that are one piece, also if some of them came with the headers: a piece costs more than a copy."""

_WORTH_WAKING = 512 << 10
"""Bytes of a body for which a waiting thread is woken: for each packet would take a tenth of all the time."""

_HEAD_END = re.compile(rb"\r?\n\r?\n")
_FOLD = re.compile(rb"\r?\n[ \t]+")
_STATUS = re.compile(rb"HTTP/1\.[0-9] ([0-9]{3})(?: .*)?")
_LENGTH = re.compile(r"[0-9]+")
_TARGET = re.compile(r"/[!-~]*")


class ExchangeError(Exception):
    """The server cannot be reached, breaks off, stalls, or answers no HTTP/1.0."""


class BadAddressError(ValueError):
    """What is asked for is no address of a server."""


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """How a server is waited for.

    Attributes
    ----------
    stop
        Ends the wait at once.
    until
        Time of the monotonic clock at which whoever still waits for his turn gives up.
    is_going_on
        Asked when no byte came for too long: whether that is as it should be, since the server works.
    """

    stop: Stop
    until: float = math.inf
    is_going_on: Callable[[], bool] = lambda: False


class Reply:
    """What a server answers; a context manager that closes the connection.

    Parameters
    ----------
    line
        A connection whose own timeout is the one for the next byte.
    stall
        That timeout in seconds.
    is_going_on
        See `Waiting`.
    """

    def __init__(self, line: Line, *, stall: float, is_going_on: Callable[[], bool]) -> None:
        self._line = line
        self._connection = line.connection
        self._stall = stall
        self._is_going_on = is_going_on
        self._held = b""
        self._left: int | None = None
        self._wakes_at = 1
        self.status, self.headers = 0, dict[str, str]()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._line.close()

    def begin(self) -> None:
        """Take in status and headers.

        Raises
        ------
        ExchangeError
            If there are none, or they say two lengths.
        """
        head, self._held = self._head()
        first, *lines = _FOLD.sub(b" ", head).split(b"\n")
        found = _STATUS.fullmatch(first.rstrip(b"\r"))
        if found is None:
            raise ExchangeError(f"it answers no HTTP: {first[:80].decode('latin-1')!r}")
        self.status = int(found[1])
        for line in lines:
            name, _, value = line.decode("latin-1").partition(":")
            name, value = name.strip().lower(), value.strip()
            if name == "content-length" and self.headers.get(name, value) != value:
                raise ExchangeError(f"it says two lengths: {self.headers[name]!r} and {value!r}")
            self.headers[name] = value
        if "transfer-encoding" in self.headers:
            raise ExchangeError(f"it answers an HTTP/1.0 request with {self.headers['transfer-encoding']!r} coding")
        length = self.headers.get("content-length", "")
        self._left = int(length) if _LENGTH.fullmatch(length) else None

    def read(self, size: int) -> bytes:
        """Read so many bytes of the body, fewer at its end, where it broke off, and where they come too slowly.

        Raises
        ------
        ExchangeError
            If the connection breaks, or no byte comes for too long.
        """
        wanted = size if self._left is None else min(size, self._left)
        piece, self._held = self._held[:wanted], self._held[wanted:]
        if len(piece) < wanted and (not piece or wanted <= _ONE_PIECE):
            piece += self._receive(wanted - len(piece))
        if self._left is not None:
            self._left -= len(piece)
        return piece

    def _head(self) -> tuple[bytes, bytes]:
        head = b""
        while (end := _HEAD_END.search(head)) is None:
            piece = self._once(_HEAD_PIECE)
            if not piece:
                raise ExchangeError("it ends the connection without an answer")
            head += piece
            if len(head) > _LONGEST_HEAD:
                raise ExchangeError(f"its headers do not end within {_LONGEST_HEAD} bytes")
        return head[: end.start()], head[end.end() :]

    def _receive(self, size: int) -> bytes:
        if not isinstance(self._connection, ssl.SSLSocket):
            if self._left is not None and (enough := min(size, _WORTH_WAKING)) != self._wakes_at:
                self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, enough)
                self._wakes_at = enough
            return self._once(size, socket.MSG_WAITALL)
        pieces, left, until = list[bytes](), size, time.monotonic() + self._stall
        while left and time.monotonic() < until and (piece := self._once(left)):
            pieces.append(piece)
            left -= len(piece)
        return b"".join(pieces)

    def _once(self, size: int, flags: int = 0) -> bytes:
        while True:
            try:
                return self._connection.recv(size, flags)
            except (BlockingIOError, TimeoutError) as error:
                if not self._is_going_on():
                    raise ExchangeError(f"no byte came for {self._stall:g} s") from error
            except OSError as error:
                raise ExchangeError(str(error)) from error


class Exchanges:
    """Sends requests; thread-safe.

    Parameters
    ----------
    connect_timeout, stall_timeout
        Seconds to wait for a connection, and for the next byte.
    """

    def __init__(self, *, connect_timeout: float, stall_timeout: float) -> None:
        self._stall_timeout = stall_timeout
        self._connector = Connector(connect_timeout=connect_timeout, stall_timeout=stall_timeout)

    def get(self, url: SplitResult, headers: Mapping[str, str], waiting: Waiting) -> Reply:
        """Send a GET and give the reply, of which status and headers have come.

        Raises
        ------
        BadAddressError
            If the URL is none.
        ExchangeError
            If the server cannot be reached, breaks off, or the wait was ended.
        FetchAbandonedError
            If told to stop before there is a connection.
        """
        host, port = _address(url.scheme, url.netloc)
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        if not _TARGET.fullmatch(target):
            raise BadAddressError(f"{url.geturl()!r} holds what no address holds")
        fields = {"Host": url.netloc.rpartition("@")[2], **headers}
        lines = (f"GET {target} HTTP/1.0", *(f"{name}: {value}" for name, value in fields.items()), "", "")
        line = Line(waiting.stop)
        try:
            self._connector.connect(line, url.scheme, host, port)
            line.connection.sendall("\r\n".join(lines).encode("latin-1"))
            reply = Reply(line, stall=self._stall_timeout, is_going_on=waiting.is_going_on)
            reply.begin()
        except BaseException as error:  # whatever it is, no connection is left behind
            line.close()
            if isinstance(error, OSError):
                raise ExchangeError(str(error)) from error
            raise
        return reply


@lru_cache
def _address(scheme: str, netloc: str) -> tuple[str, int]:
    url = SplitResult(scheme, netloc, "", "", "")
    try:
        port = url.port
    except ValueError as error:
        raise BadAddressError(str(error)) from error
    if not url.hostname or scheme not in PORTS:
        raise BadAddressError(f"{url.geturl()!r} has no host, or is not HTTP")
    return url.hostname, port or PORTS[scheme]

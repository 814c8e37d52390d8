"""One HTTP/1.0 request and its reply, as NGAS speaks it: a connection of its own, its bytes taken in large pieces.

NGAS closes the connection after each reply, so a pool of them has nothing to keep. A piece is
asked for with one call that returns when it is full: for a large file that is a call for every
megabyte, where buffered readers make dozens, and the bytes are copied once.
"""

import re
import socket
import ssl
import struct
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property, lru_cache
from types import TracebackType
from typing import Self
from urllib.parse import SplitResult

_HEAD_PIECE = 4096
_LONGEST_HEAD = 64 << 10
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_STATUS = re.compile(r"HTTP/1\.\d (\d{3})(?: .*)?")
_TARGET = re.compile(r"/[!-~]*")
_PORTS = {"http": 80, "https": 443}


class ExchangeError(Exception):
    """The server cannot be reached, breaks off, stalls, or answers no HTTP/1.0."""


class BadAddressError(ValueError):
    """What is asked for is no address of a server."""


class Reply:
    """What a server answers; a context manager that closes the connection.

    Parameters
    ----------
    connection
        A socket whose own timeout is the one for the next byte.
    stall
        That timeout in seconds, to tell it.
    """

    def __init__(self, connection: socket.socket, *, stall: float) -> None:
        self._connection = connection
        self._stall = stall
        self._held = b""
        self._left: int | None = None
        self.status, self.headers = 0, dict[str, str]()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def begin(self) -> None:
        """Take in status and headers.

        Raises
        ------
        ExchangeError
            If there are none.
        """
        head, self._held = self._head()
        first, *lines = head.decode("latin-1").splitlines()
        found = _STATUS.fullmatch(first)
        if found is None:
            raise ExchangeError(f"it answers no HTTP: {first[:80]!r}")
        self.status = int(found[1])
        self.headers = {
            name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
        }
        if "transfer-encoding" in self.headers:
            raise ExchangeError(f"it answers an HTTP/1.0 request with {self.headers['transfer-encoding']!r} coding")
        length = self.headers.get("content-length", "")
        self._left = int(length) if re.fullmatch(r"[0-9]+", length) else None

    def read(self, size: int) -> bytes:
        """Read so many bytes of the body, fewer only at its end or where it broke off.

        Raises
        ------
        ExchangeError
            If the connection breaks, or no byte comes for too long.
        """
        wanted = size if self._left is None else min(size, self._left)
        if self._held:
            piece, self._held = self._held[:wanted], self._held[wanted:]
        else:
            piece = self._receive(wanted) if wanted else b""
        if self._left is not None:
            self._left -= len(piece)
        return piece

    def end(self) -> None:
        """Let whoever waits for the next bytes, in another thread, find the end of the body at once."""
        with suppress(OSError):  # closed already
            self._connection.shutdown(socket.SHUT_RDWR)

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
            return self._once(size, socket.MSG_WAITALL)
        pieces, left = list[bytes](), size
        while left and (piece := self._once(left)):
            pieces.append(piece)
            left -= len(piece)
        return b"".join(pieces)

    def _once(self, size: int, flags: int = 0) -> bytes:
        try:
            return self._connection.recv(size, flags)
        except (BlockingIOError, TimeoutError) as error:
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
        self._connect_timeout = connect_timeout
        self._stall_timeout = stall_timeout

    def get(self, url: SplitResult, headers: Mapping[str, str]) -> Reply:
        """Send a GET and give the reply, of which status and headers have come.

        Raises
        ------
        BadAddressError
            If the URL is none.
        ExchangeError
            If the server cannot be reached, or breaks off.
        """
        host, port = _address(url.scheme, url.netloc)
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        if not _TARGET.fullmatch(target):
            raise BadAddressError(f"{url.geturl()!r} holds what no address holds")
        fields = {"Host": url.netloc.rpartition("@")[2], **headers}
        lines = (f"GET {target} HTTP/1.0", *(f"{name}: {value}" for name, value in fields.items()), "", "")
        connection = None
        try:
            connection = self._connected(url.scheme, host, port)
            connection.sendall("\r\n".join(lines).encode("latin-1"))
            reply = Reply(connection, stall=self._stall_timeout)
            reply.begin()
        except BaseException as error:  # whatever it is, no connection is left behind
            if connection is not None:
                connection.close()
            if isinstance(error, OSError):
                raise ExchangeError(str(error)) from error
            raise
        return reply

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context()

    def _connected(self, scheme: str, host: str, port: int) -> socket.socket:
        connection = socket.create_connection((host, port), self._connect_timeout)
        if scheme == "http":
            _wait_in_the_kernel(connection, self._stall_timeout)
            return connection
        try:
            secured = self._tls.wrap_socket(connection, server_hostname=host)
        except BaseException:  # nobody else knows the connection yet; raised again
            connection.close()
            raise
        secured.settimeout(self._stall_timeout)
        return secured


@lru_cache
def _address(scheme: str, netloc: str) -> tuple[str, int]:
    url = SplitResult(scheme, netloc, "", "", "")
    try:
        port = url.port
    except ValueError as error:
        raise BadAddressError(str(error)) from error
    if not url.hostname or scheme not in _PORTS:
        raise BadAddressError(f"{url.geturl()!r} has no host, or is not HTTP")
    return url.hostname, port or _PORTS[scheme]


def _wait_in_the_kernel(connection: socket.socket, seconds: float) -> None:
    """Let the kernel watch the time: with Python's own timeout no call would wait until a piece is full."""
    connection.settimeout(None)
    whole, fraction = divmod(seconds, 1)
    interval = struct.pack("ll", int(whole), max(int(fraction * 1e6), 0 if whole else 1))
    for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        connection.setsockopt(socket.SOL_SOCKET, option, interval)

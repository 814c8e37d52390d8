"""One HTTP/1.0 request and its reply, as NGAS speaks it: a connection of its own, its bytes taken in large pieces.

NGAS closes the connection after each reply, so a pool of them has nothing to keep. A piece is
asked for with one call that returns when it is full: for a large file that is a call for every
megabyte, where buffered readers make dozens, and the bytes are copied once.
"""

import math
import re
import socket
import ssl
import struct
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from types import TracebackType
from typing import Self
from urllib.parse import SplitResult

from services.ngas_fetcher.addresses import PORTS
from services.ngas_fetcher.stop import Stop

_HEAD_PIECE = 4096
_LONGEST_HEAD = 64 << 10
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_STATUS = re.compile(r"HTTP/1\.\d (\d{3})(?: .*)?")
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
    connection
        A socket whose own timeout is the one for the next byte.
    stall
        That timeout in seconds.
    is_going_on
        See `Waiting`.
    """

    def __init__(self, connection: socket.socket, *, stall: float, is_going_on: Callable[[], bool]) -> None:
        self._connection = connection
        self._stall = stall
        self._is_going_on = is_going_on
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
        """Read so many bytes of the body, fewer at its end, where it broke off, and where they come too slowly.

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
        _end(self._connection)

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
        self._connect_timeout = connect_timeout
        self._stall_timeout = stall_timeout

    def get(self, url: SplitResult, headers: Mapping[str, str], waiting: Waiting) -> Reply:
        """Send a GET and give the reply, of which status and headers have come.

        Raises
        ------
        BadAddressError
            If the URL is none.
        ExchangeError
            If the server cannot be reached, breaks off, or the wait was ended.
        """
        host, port = _address(url.scheme, url.netloc)
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        if not _TARGET.fullmatch(target):
            raise BadAddressError(f"{url.geturl()!r} holds what no address holds")
        fields = {"Host": url.netloc.rpartition("@")[2], **headers}
        lines = (f"GET {target} HTTP/1.0", *(f"{name}: {value}" for name, value in fields.items()), "", "")
        connection = None
        try:
            connection = self._connected(url.scheme, host, port, waiting.stop)
            with waiting.stop.calling(partial(_end, connection)):
                self._prepare(connection)
                connection.sendall("\r\n".join(lines).encode("latin-1"))
                reply = Reply(connection, stall=self._stall_timeout, is_going_on=waiting.is_going_on)
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

    def _connected(self, scheme: str, host: str, port: int, stop: Stop) -> socket.socket:
        """Connect to the first of a host's addresses that lets us; TLS has yet to shake hands."""
        failure: OSError | None = None
        for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            connection = socket.socket(family, kind, protocol)
            try:
                connection.settimeout(self._connect_timeout)
                with stop.calling(partial(_end, connection)):
                    connection.connect(address)
                if scheme == "http":
                    return connection
                return self._tls.wrap_socket(connection, server_hostname=host, do_handshake_on_connect=False)
            except BaseException as error:  # nobody else knows the connection yet; raised again
                connection.close()
                if not isinstance(error, OSError):
                    raise
                failure = error
        raise failure or OSError(f"{host} has no address")

    def _prepare(self, connection: socket.socket) -> None:
        if isinstance(connection, ssl.SSLSocket):
            connection.do_handshake()
            connection.settimeout(self._stall_timeout)
        else:
            _wait_in_the_kernel(connection, self._stall_timeout)


def _end(connection: socket.socket) -> None:
    """Wake whoever waits for this connection, also one that is only being made; TLS takes no leave."""
    with suppress(OSError):  # closed already
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


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


def _wait_in_the_kernel(connection: socket.socket, seconds: float) -> None:
    """Let the kernel watch the time: with Python's own timeout no call would wait until a piece is full."""
    connection.settimeout(None)
    whole, fraction = divmod(seconds, 1)
    interval = struct.pack("ll", int(whole), max(int(fraction * 1e6), 0 if whole else 1))
    for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        connection.setsockopt(socket.SOL_SOCKET, option, interval)

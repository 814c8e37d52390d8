"""Connections to servers: how they come about, and that the word to stop ends them at any moment."""

import socket
import ssl
import struct
from contextlib import suppress
from functools import cached_property
from typing import Any

from services.ngas_fetcher.stop import Stop


class Line:
    """A connection from before it is made until it is closed; all this time the word to stop ends it.

    Parameters
    ----------
    stop
        Where the word comes from.
    """

    def __init__(self, stop: Stop) -> None:
        self._stop = stop
        self._connection: socket.socket | None = None
        stop.will_call(self._end)

    @property
    def connection(self) -> socket.socket:
        """The socket."""
        assert self._connection is not None
        return self._connection

    def use(self, connection: socket.socket) -> None:
        """Be this connection from now on.

        Raises
        ------
        FetchAbandonedError
            If told to stop.
        """
        self._connection = connection
        self._stop.check()

    def close(self) -> None:
        """Close the connection, if there is one."""
        self._stop.forget(self._end)
        if self._connection is not None:
            self._connection.close()

    def _end(self) -> None:
        """Let whoever waits for this connection, in another thread, find its end at once; TLS takes no leave."""
        if self._connection is not None:
            with suppress(OSError):  # closed already, or not connected yet
                socket.socket.shutdown(self._connection, socket.SHUT_RDWR)


class Connector:
    """Connects lines; thread-safe.

    Parameters
    ----------
    connect_timeout, stall_timeout
        Seconds to wait for a connection, and for the next byte on it.
    """

    def __init__(self, *, connect_timeout: float, stall_timeout: float) -> None:
        self._connect_timeout = connect_timeout
        self._stall_timeout = stall_timeout
        self._connect_interval = _interval(connect_timeout)
        self._stall_interval = _interval(stall_timeout)

    def connect(self, line: Line, scheme: str, host: str, port: int) -> None:
        """Connect a line to the first of a host's addresses that lets us.

        Raises
        ------
        OSError
            If none does in time.
        FetchAbandonedError
            If told to stop.
        """
        failure: OSError | None = None
        for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            connection = socket.socket(family, kind, protocol)
            try:
                if scheme == "http":
                    self._connect_plainly(line, connection, address)
                else:
                    self._connect_securely(line, connection, address, host)
            except BaseException as error:  # the next is tried, or it is raised again
                connection.close()
                if not isinstance(error, OSError):
                    raise
                failure = error
            else:
                self._prepare(line.connection)
                return
        raise failure or OSError(f"{host} has no address")

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context()

    def _connect_plainly(self, line: Line, connection: socket.socket, address: Any) -> None:
        """Let the kernel watch the time: with Python's own timeout no call would wait until a piece is full."""
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, self._connect_interval)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, self._stall_interval)
        line.use(connection)
        try:
            connection.connect(address)
        except BlockingIOError as error:
            raise TimeoutError(f"no connection came about within {self._connect_timeout:g} s") from error
        line.use(connection)  # again, for who was told to stop when there was nothing to end yet

    def _connect_securely(self, line: Line, connection: socket.socket, address: Any, host: str) -> None:
        connection.settimeout(self._connect_timeout)
        line.use(connection)
        connection.connect(address)
        line.use(self._tls.wrap_socket(connection, server_hostname=host, do_handshake_on_connect=False))

    def _prepare(self, connection: socket.socket) -> None:
        if isinstance(connection, ssl.SSLSocket):
            connection.do_handshake()
            connection.settimeout(self._stall_timeout)


def _interval(seconds: float) -> bytes:
    """Write so many seconds as the kernel wants them; never none, which would be for ever."""
    whole, fraction = divmod(seconds, 1)
    return struct.pack("ll", int(whole), max(int(fraction * 1e6), 0 if whole else 1))

"""A TCP relay that tests put before a server, to cut connections and to be away."""

import select
import socket
import ssl
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.certificates import Certificate
from tests.support.ports import free_ports

METHODS = frozenset({b"DELETE", b"GET", b"HEAD", b"POST", b"PUT"})


@dataclass(frozen=True, kw_only=True)
class RelayTls:
    """TLS at both sides of a relay, which so reads what passes.

    Parameters
    ----------
    shown
        Certificate and key that its clients are shown.
    trusted
        Certificates to trust of the server; ``None``: the system's.
    """

    shown: Certificate
    trusted: Path | None

    def to_client(self, client: socket.socket) -> socket.socket:
        """Give the connection as the client's server has it, before its handshake."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.shown.certificate, self.shown.key)
        return context.wrap_socket(client, server_side=True, do_handshake_on_connect=False)

    def to_server(self, server: socket.socket, name: str) -> socket.socket:
        """Give the connection as a client has it, which knows the server by this name, before its handshake."""
        context = ssl.create_default_context(cafile=self.trusted)
        return context.wrap_socket(server, server_hostname=name, do_handshake_on_connect=False)


class Relay:
    """Passes bytes between its own port and a server, until told otherwise.

    Parameters
    ----------
    host, port
        Where the server is.
    tls
        If clients and the server speak TLS.

    Attributes
    ----------
    interruptions
        Connections that were closed on purpose.
    asked
        Methods of the HTTP requests that clients sent.
    """

    def __init__(self, host: str, port: int, *, tls: RelayTls | None = None) -> None:
        self._server = (host, port)
        self._tls = tls
        self.port = free_ports(1)[0]
        self._listener: socket.socket | None = None
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._cut_after: int | None = None
        self._lost: bytes | None = None
        self._spoiled: bytes | None = None
        self.interruptions = 0
        self.asked: list[bytes] = []

    def __enter__(self) -> Self:
        self.bring_back()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.take_away()

    def bring_back(self) -> None:
        """Listen and pass bytes on."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def take_away(self) -> None:
        """Close every connection and refuse new ones."""
        if self._listener is not None:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        self.cut()

    def cut(self) -> None:
        """Close every connection."""
        with self._lock:
            for each in self._open:
                with suppress(OSError):  # the other side was quicker
                    socket.socket.shutdown(each, socket.SHUT_RDWR)  # without TLS's own, which is its thread's

    def cut_after(self, size: int) -> None:
        """Cut the next connection over which the server has sent so many bytes, once."""
        self._cut_after = size

    def lose_next_answer(self, to: bytes = b"PUT ") -> None:
        """Close the next connection that asks this, once the server answers and before the client sees it."""
        self._lost = to

    def change_next(self, marked: bytes) -> None:
        """Spoil these bytes once, the next time they pass."""
        self._spoiled = marked

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._pass, args=(client,), daemon=True).start()

    def _pass(self, client: socket.socket) -> None:
        with client, suppress(OSError), socket.create_connection(self._server) as server:
            if self._tls is None:
                self._pass_both(client, server)
                return
            with self._tls.to_client(client) as to_client, self._tls.to_server(server, self._server[0]) as to_server:
                self._pass_both(to_client, to_server)

    def _pass_both(self, client: socket.socket, server: socket.socket) -> None:
        with self._lock:
            self._open |= {client, server}
        sent, lose = 0, False
        try:
            for each in (server, client):
                if isinstance(each, ssl.SSLSocket):
                    each.do_handshake()
            while True:
                for source in select.select([client, server], [], [])[0]:
                    data = _received(source)
                    if data is None:
                        continue
                    if lose and source is server:
                        self.interruptions += 1
                        return
                    if not data:
                        return
                    if source is client and (method := data[:8].partition(b" ")[0]) in METHODS:
                        self.asked.append(method)
                    if self._spoiled is not None and self._spoiled in data:
                        data, self._spoiled = data.replace(self._spoiled, bytes(len(self._spoiled)), 1), None
                    (client if source is server else server).sendall(data)
                    if source is client and self._lost is not None and self._lost in data:
                        lose, self._lost = True, None
                    sent += len(data) if source is server else 0
                    if self._cut_after is not None and sent >= self._cut_after:
                        self._cut_after = None
                        self.interruptions += 1
                        return
        except OSError:
            return
        finally:
            with self._lock:
                self._open -= {client, server}


def _received(source: socket.socket) -> bytes | None:
    """Give what has come; ``None`` if it was TLS's own, or a part of what TLS gives as a whole."""
    source.setblocking(False)
    try:
        return source.recv(1 << 16)
    except (BlockingIOError, ssl.SSLWantReadError):
        return None
    finally:
        source.setblocking(True)

"""A TCP relay that tests put before a server, to cut connections and to be away."""

import select
import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

from tests.support.ports import free_ports


class Relay:
    """Passes bytes between its own port and a server, until told otherwise.

    Parameters
    ----------
    host, port
        Where the server is.

    Attributes
    ----------
    interruptions
        Connections that were closed on purpose.
    asked
        First words of what clients sent: of HTTP requests the methods, if a request was sent at once.
    """

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
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
                    each.shutdown(socket.SHUT_RDWR)

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
        with client:
            try:
                server = socket.create_connection(self._server)
            except OSError:
                return
            with server:
                self._pass_both(client, server)

    def _pass_both(self, client: socket.socket, server: socket.socket) -> None:
        with self._lock:
            self._open |= {client, server}
        sent, lose = 0, False
        try:
            while True:
                for source in select.select([client, server], [], [])[0]:
                    data = source.recv(1 << 16)
                    if lose and source is server:
                        self.interruptions += 1
                        return
                    if not data:
                        return
                    if source is client:
                        self.asked.append(data.partition(b" ")[0])
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

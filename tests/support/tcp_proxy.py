"""A TCP proxy whose connections a test can cut, or let fall silent."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event as Flag
from threading import Lock, Thread
from types import TracebackType
from typing import Self

_CHUNK = 65536


class TcpProxy:
    """Passes connections on to a port on loopback until they are cut.

    Parameters
    ----------
    target_port
        Where to.
    """

    def __init__(self, *, target_port: int) -> None:
        self._target = ("127.0.0.1", target_port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = Lock()
        self._open: list[socket.socket] = []
        self._speaking = Flag()
        self._speaking.set()
        Thread(target=self._accept, name="tcp-proxy", daemon=True).start()

    @property
    def port(self) -> int:
        """Where the proxy listens."""
        return int(self._listener.getsockname()[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def cut(self) -> int:
        """Cut all connections, and tell how many ends of them that were; new ones are let through."""
        with self._lock:
            cut, self._open, count = self._open, [], 0
        for each in cut:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
                count += 1
        return count

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Lose all that is sent, as a network does in which a way is gone: neither side hears of an end."""
        self._speaking.clear()
        try:
            yield
        finally:
            self.cut()
            self._speaking.set()

    def close(self) -> None:
        """Take no more connections and cut those there are."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._target)
            except OSError:
                client.close()
                continue
            with self._lock:
                self._open += [client, server]
            Thread(target=self._pump, args=(client, server), daemon=True).start()
            Thread(target=self._pump, args=(server, client), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError), source:
            while chunk := source.recv(_CHUNK):
                if self._speaking.is_set():
                    target.sendall(chunk)
        self._speaking.wait()
        with suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)

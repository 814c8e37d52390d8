"""The small NGAS server: an HTTP/1.0 server over an archive directory."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import BoundedSemaphore, Condition, Event, Thread
from typing import Self

from observatory.ngas.archive import Archive, StoredFile
from observatory.ngas.faults import FaultBoard
from observatory.ngas.handler import NgasHandler


@dataclass(kw_only=True)
class RequestLog:
    """A request that the server got; ``status`` and ``sent`` (bytes of the body) come while it is answered."""

    method: str
    command: str
    file_id: str | None
    range: str | None
    authorized: bool
    status: int = 0
    sent: int = 0


class HttpServer(ThreadingHTTPServer):
    """The socket and its threads."""

    daemon_threads = True
    request_queue_size = 128
    ngas: "NgasServer"

    def server_activate(self) -> None:
        """Listen; where several processes share the socket, only one of those that wake gets a connection."""
        super().server_activate()
        self.socket.setblocking(False)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that went away: faults are what this server is for."""


class NgasServer:
    """Serves an archive directory in NGAS's protocol.

    Parameters
    ----------
    root
        The archive's directory; what was archived there before is served again.
    host, port
        Address to listen on; port 0 takes a free one.
    name
        The name or address by which others reach it; ``host`` if None.
    host_id
        The server's name in its own documents.
    cluster
        The cluster's name in location reports.
    max_requests
        MaxSimReqs: further requests get a bare 503.
    credentials
        User and password of HTTP Basic, if they are asked for.
    """

    def __init__(
        self,
        root: Path,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        name: str | None = None,
        host_id: str = "observatory",
        cluster: str = "observatory",
        max_requests: int = 100,
        credentials: tuple[str, str] | None = None,
    ) -> None:
        self.store = Archive(root)
        self.faults = FaultBoard(root)
        self.root = self.store.root
        self.host_id = host_id
        self.cluster = cluster
        self.credentials = credentials
        self.requests: list[RequestLog] = []
        self._slots = BoundedSemaphore(max_requests)
        self._serving = Event()
        self._stopping = Event()
        self._noted = Condition()
        self._http = HttpServer((host, port), NgasHandler)
        self._name = name or host
        self._http.ngas = self
        self._thread = Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._http.server_address[1])

    @property
    def address(self) -> str:
        """``host:port``, as location reports name a server."""
        return f"{self._name}:{self.port}"

    def start(self) -> Self:
        """Serve in a thread of its own."""
        self._serving.set()
        self._thread.start()
        return self

    def serve(self) -> None:
        """Serve in this thread until `stop`."""
        self._serving.set()
        self._http.serve_forever(poll_interval=0.05)

    def stop(self) -> None:
        """Stop serving and release the port."""
        self._stopping.set()
        if self._serving.is_set():
            self._http.shutdown()
        self._http.server_close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.stop()

    def archive(
        self,
        path: Path,
        file_id: str,
        *,
        version: int | None = 1,
        checksum_plugin: str = "ngamsGenCrc32",
        signed: bool = False,
    ) -> StoredFile:
        """Put a file into the archive; see `Archive.archive`."""
        return self.store.archive(path, file_id, version=version, checksum_plugin=checksum_plugin, signed=signed)

    def retrieved(self, file_id: str | None = None) -> list[RequestLog]:
        """Return the RETRIEVE requests so far, of one file or of all."""
        return [r for r in self.requests if r.command == "RETRIEVE" and file_id in (None, r.file_id)]

    def note(self, handler: NgasHandler, command: str, file_id: str | None) -> RequestLog:
        """Keep a request in the list of requests."""
        log = RequestLog(
            method=handler.command,
            command=command,
            file_id=file_id,
            range=handler.headers.get("Range"),
            authorized="Authorization" in handler.headers,
        )
        with self._noted:
            self.requests.append(log)
            self._noted.notify_all()
        return log

    def wait_for_request(self, file_id: str, timeout: float) -> bool:
        """Wait until a RETRIEVE of this file has come in; False if it has not after so many seconds."""
        with self._noted:
            return self._noted.wait_for(lambda: bool(self.retrieved(file_id)), timeout)

    @contextmanager
    def slot(self) -> Iterator[bool]:
        """Take one of the simultaneous requests; gives False if there is none left."""
        free = self._slots.acquire(blocking=False)
        try:
            yield free
        finally:
            if free:
                self._slots.release()

    def wait_while_running(self, seconds: float) -> None:
        """Wait, but not beyond the server's stop."""
        self._stopping.wait(seconds)

"""Liveness, readiness and metrics of a process over HTTP."""

import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Self

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from shared.errors import MisconfiguredError


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of somebody who went away: a check of health reads the status and no more."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # what it was given


class HealthServer:
    """Answers ``/live``, ``/ready`` and ``/metrics``.

    Parameters
    ----------
    host, port
        Address to listen on; port 0 takes a free one.
    is_live
        Whether the process can still do its work at all; if not it should be started anew.
    is_ready
        Whether it can take work right now.
    registry
        The metrics to show.

    Raises
    ------
    MisconfiguredError
        If it cannot be listened on.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        is_live: Callable[[], bool],
        is_ready: Callable[[], bool],
        registry: CollectorRegistry,
    ) -> None:
        checks = {"/live": is_live, "/ready": is_ready}

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path in checks:
                    passed = checks[self.path]()
                    self._reply(200 if passed else 503, "text/plain", b"ok\n" if passed else b"not ok\n")
                elif self.path == "/metrics":
                    encode, content_type = choose_encoder(self.headers.get("Accept", ""))
                    self._reply(200, content_type, encode(registry))
                else:
                    self._reply(404, "text/plain", b"there are /live, /ready and /metrics\n")

            def _reply(self, status: int, content_type: str, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
                """Say nothing: probes come every few seconds."""

        try:
            self._server = _Server((host, port), Handler)
        except OSError as error:
            raise MisconfiguredError(
                f"cannot listen on {host} port {port}: {error.strerror}; "
                "set ALMA_RESTORE_HTTP_HOST and ALMA_RESTORE_HTTP_PORT"
            ) from error
        self._thread = Thread(target=self._server.serve_forever, name="health", daemon=True)

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._server.server_address[1])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

"""The web server: uvicorn in a thread of its own, beside the bus."""

import gc
import socket
import sys
from threading import Thread

import structlog
import uvicorn
from fastapi import FastAPI

from services.request_desk.web.settings import WebSettings
from shared.errors import MisconfiguredError

log = structlog.get_logger()

SWITCH_SECONDS = 0.0005
"""How long one thread of the process may keep the others waiting."""

GARBAGE_THRESHOLDS = (20_000, 20, 100)
"""When garbage is looked for: seldom, since each of a thousand open views is a few hundred objects to look through."""


def bind(settings: WebSettings) -> socket.socket:
    """Take the port, so that its number is known before anything is served.

    Raises
    ------
    MisconfiguredError
        If it cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        listening = socket.create_server((settings.host, settings.port or 0), family=family, backlog=2048)
    except OSError as error:
        raise MisconfiguredError(
            f"cannot listen on {settings.host} port {settings.port}: {error}; "
            "set ALMA_RESTORE_REQUEST_DESK_WEB_PORT and …_HOST"
        ) from error
    # Connections inherit it. Without it the kernel holds the second half of each answer back for 40 ms (Nagle's
    # algorithm meets delayed acknowledgements), and asyncio does not know sockets made this way as TCP.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def base_url_of(settings: WebSettings, listening: socket.socket) -> str:
    """Return how users reach us: as the settings say, else by address and port."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return settings.base_url or f"http://{host}:{listening.getsockname()[1]}"


class WebServer:
    """Serves an application in a thread until it is closed.

    Parameters
    ----------
    app
        What is served.
    listening
        Where; closed at the end.
    settings
        Whom to believe about client addresses.
    """

    def __init__(self, *, app: FastAPI, listening: socket.socket, settings: WebSettings) -> None:
        self._listening = listening
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            ws="none",
            forwarded_allow_ips=settings.trusted_proxies,
            proxy_headers=bool(settings.trusted_proxies),
            timeout_graceful_shutdown=2,
            timeout_keep_alive=30,
            h11_max_incomplete_event_size=32 * 1024,
        )
        self._server = uvicorn.Server(config)
        self._thread = Thread(target=self._run, name="web-server", daemon=True)

    def begin(self) -> None:
        """Begin to serve."""
        # The event loop gives the interpreter away at each read and write, and waits this long for a busy thread
        # (the ledger's) to give it back: five milliseconds, which is the default, would be most of an answer's time.
        sys.setswitchinterval(SWITCH_SECONDS)
        # What is there by now stays. To look through it for garbage again and again would halt all calls each time.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GARBAGE_THRESHOLDS)
        self._thread.start()

    @property
    def is_serving(self) -> bool:
        """Whether calls are answered."""
        return self._thread.is_alive() and self._server.started

    def close(self) -> None:
        """End live views and calls at work within seconds, and stop listening."""
        self._server.should_exit = True
        if self._thread.ident is not None:
            self._thread.join(10)
        self._listening.close()

    def _run(self) -> None:
        try:
            self._server.run(sockets=[self._listening])
        except Exception:  # the process goes on without web pages, and readiness says so
            log.exception("web_server_failed")

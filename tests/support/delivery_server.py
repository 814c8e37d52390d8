"""The files of deliveries on a web server of their own on loopback, and raw calls to it."""

import http.client
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from fastapi import FastAPI, Request

from services.request_desk.deliveries.base import Asker, Deliveries
from services.request_desk.deliveries.routes import deliveries_router
from services.request_desk.web.errors import add_handlers
from services.request_desk.web.server import WebServer, bind
from services.request_desk.web.settings import WebSettings


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


class DeliveryServer:
    """Serves deliveries below ``/deliveries`` in a thread; a context manager."""

    def __init__(self, deliveries: Deliveries) -> None:
        self._deliveries = deliveries

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            settings = WebSettings(port=0)
            listening = bind(settings)
            self.port: int = listening.getsockname()[1]
            app = FastAPI(openapi_url=None)
            add_handlers(app)
            app.include_router(deliveries_router(deliveries=self._deliveries, who=_who))
            server = WebServer(app=app, listening=listening, settings=settings)
            stack.callback(server.close)
            server.begin()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def address(self) -> str:
        """Where deliveries are."""
        return f"http://127.0.0.1:{self.port}/deliveries"

    def call(self, path: str, method: str = "GET", **headers: str) -> Answer:
        """Call a path below the server's root, just as it is written; in names of headers ``_`` is ``-``."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.putrequest(method, path, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name.replace("_", "-"), value)
            connection.endheaders()
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()


def _who(request: Request) -> Asker:
    return Asker(client=request.client.host if request.client else None)

"""What every call passes: the log of calls, the longest body, and headers that keep browsers careful.

Plain ASGI, so that live views are passed on byte by byte.
"""

import re
import time
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import structlog
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.request_desk.web.errors import call_error
from services.request_desk.web.faults import TooLongError
from shared import tracing

log = structlog.get_logger()

_ADDRESS = re.compile(r"^(/deliveries/[^/]{0,6})[^/]*")
"""The address of a delivery opens it: logs have enough of it to recognise it, and not more."""

_TRACE_CONTEXT = {b"traceparent", b"tracestate"}

CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'{forms}; frame-ancestors 'none'"
)
"""Nothing from elsewhere, no inline scripts; a form may end at the provider, where people sign out."""


def security_headers(*, is_secure: bool, provider: str | None) -> dict[str, str]:
    """Return the headers that every answer has.

    Parameters
    ----------
    is_secure
        Whether users reach us by https only.
    provider
        Origin of the provider that people sign in at.
    """
    headers = {
        "Content-Security-Policy": CONTENT_POLICY.format(forms=f" {provider}" if provider else ""),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
    if is_secure:
        headers["Strict-Transport-Security"] = "max-age=31536000"
    return headers


class SecurityHeaders:
    """Adds headers to answers that do not have them; what somebody's own data is in is kept in no cache."""

    def __init__(self, app: ASGIApp, *, headers: Mapping[str, str]) -> None:
        self._app = app
        self._headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a call on."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                there = {name.lower() for name, _ in message["headers"]}
                wanted = [*self._headers, (b"cache-control", b"no-store")]
                message["headers"] = [*message["headers"], *(each for each in wanted if each[0] not in there)]
            await send(message)

        await self._app(scope, receive, send_with_headers if scope["type"] == "http" else send)


class LongestBody:
    """Refuses bodies that are longer than they may be: by what they say, else as soon as they are."""

    def __init__(self, app: ASGIApp, *, most: int) -> None:
        self._app = app
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a call on unless its body is too long."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if (said := _length(scope)) is not None and said > self._most:
            await self._refuse(scope, receive, send)
            return
        body, more = bytearray(), scope["method"] not in {"GET", "HEAD", "OPTIONS"}
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self._most:
                await self._refuse(scope, receive, send)
                return
        await self._app(scope, _replayed(bytes(body), receive), send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        error = TooLongError(f"at most {self._most} bytes", reason="body_too_long", headers={"Connection": "close"})
        answer = await call_error(Request(scope), error)
        await answer(scope, receive, send)


class CallLog:
    """Logs each call when it has been answered, and binds what its other log entries share."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a call on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 0

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        structlog.contextvars.clear_contextvars()
        about = _about(scope)
        structlog.contextvars.bind_contextvars(call_id=uuid4().hex, **about)
        with tracing.answering(scope["method"], _trace_context(scope), {"http.request.method": scope["method"]}):
            try:
                await self._app(scope, receive, send_and_note)
            finally:
                route = getattr(scope.get("route"), "path", None)
                seconds = round(time.perf_counter() - started, 4)
                # The query is left out: it holds codes and keys of sign-ins.
                log.info("call_answered", status=status, seconds=seconds, route=route)
                known = {"http.response.status_code": status, "http.route": route or "", "url.path": about["path"]}
                tracing.named(f"{scope['method']} {route or ''}".strip(), known)


def _about(scope: Scope) -> dict[str, Any]:
    client = scope.get("client")
    path = _ADDRESS.sub(r"\1…", scope["path"])[:500]
    return {"method": scope["method"], "path": path, "client": client[0] if client else None}


def _trace_context(scope: Scope) -> dict[str, str]:
    return {name.decode(): value.decode("latin-1") for name, value in scope["headers"] if name in _TRACE_CONTEXT}


def _length(scope: Scope) -> int | None:
    said = dict(scope["headers"]).get(b"content-length", b"")
    return int(said) if said.isdigit() else None


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Give a body that was read already, and afterwards what comes."""
    first = True

    async def replay() -> Message:
        nonlocal first
        if first:
            first = False
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return replay

"""Answer what went wrong: as a problem document (RFC 9457) for programs, as a page for people."""

import json
from http import HTTPStatus
from urllib.parse import quote

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, RedirectResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response

from services.request_desk.deliveries.base import DeliveryError
from services.request_desk.web.console.pages import error_page
from services.request_desk.web.faults import AwayError, CallError, NotThereError, UnknownCallerError
from shared.errors import DependencyAwayError

log = structlog.get_logger()

PROBLEM = "application/problem+json"

_IN_WORDS = {
    HTTPStatus.NOT_FOUND: (
        NotThereError.title,
        "Nothing has this address: it may have been cut short, or mistyped. "
        "What you asked for, and the data that waits for you, is found from your list of requests.",
    ),
    HTTPStatus.METHOD_NOT_ALLOWED: (
        "This cannot be done here",
        "The address is right, but it takes another kind of call: a page that was left open may be out of date. "
        "Open it anew, and press the button there.",
    ),
}
"""What people and programs are told where no route answers, which the framework has two words for."""

_NOBODY = {
    "local": "open the address with the key that was shown when the desk started",
    "oidc": "you are not signed in, or no longer: sign in, and do it again",
}
"""What a person is told who is not signed in; a token is for programs."""


def add_handlers(app: FastAPI) -> None:
    """Let an application answer faults as this module does."""
    app.add_exception_handler(CallError, call_error)
    app.add_exception_handler(DeliveryError, _delivery_error)
    app.add_exception_handler(DependencyAwayError, _away)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _bug)


def problem(request: Request, *, status: int, code: str, title: str, detail: str, **more: object) -> Response:
    """Answer a fault in the form that the caller understands."""
    path = request.url.path
    if path.startswith("/uws"):
        return PlainTextResponse(f"{title}: {detail}\n", status_code=status)
    if _is_browser(request):
        return error_page(request, status=status, title=title, detail=detail)
    body = {"type": "about:blank", "title": title, "status": status, "code": code, "detail": detail, **more}
    return JSONResponse(body, status_code=status, media_type=PROBLEM)


def _is_browser(request: Request) -> bool:
    """Whether a person looks at the answer: browsers ask for HTML first, programs rarely at all."""
    accepted = request.headers.get("accept", "")
    return not request.url.path.startswith(("/api", "/uws")) and "text/html" in accepted


async def call_error(request: Request, error: Exception) -> Response:
    """Answer a fault that a call was refused for."""
    assert isinstance(error, CallError), "it is registered for these alone"
    told = log.warning if error.status in (401, 403, 413, 429) else log.info
    told("call_refused", reason=error.reason, code=error.code, status=error.status, detail=error.detail)
    if isinstance(error, UnknownCallerError) and _wants_to_sign_in(request):
        back = quote(f"{request.url.path}?{request.url.query}".rstrip("?"), safe="")
        return RedirectResponse(f"/sign-in?back={back}", status_code=303)
    is_nobody = error.reason == "nobody" and _is_browser(request)
    detail = _NOBODY[request.app.state.door.sign_in.kind] if is_nobody else error.detail
    answer = problem(request, status=error.status, code=error.code, title=error.title, detail=detail)
    answer.headers.update(error.headers)
    return answer


def _wants_to_sign_in(request: Request) -> bool:
    """Whether a browser asked for a page without being signed in; the sign-in's own pages lead nowhere else."""
    without = "authorization" not in request.headers and not request.url.path.startswith("/sign-in")
    is_local = request.app.state.door.sign_in.kind == "local"
    return request.method == "GET" and without and not is_local and _is_browser(request)


async def _delivery_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, DeliveryError), "it is registered for these alone"
    reason = getattr(error, "reason", None)
    log.warning("call_refused", reason=reason or error.code, code=error.code, status=error.status, detail=str(error))
    more = {} if reason is None else {"reason": reason}
    return problem(request, status=error.status, code=error.code, title=error.title, detail=str(error), **more)


async def _away(request: Request, error: Exception) -> Response:
    log.warning("call_cannot_be_answered_now", code=getattr(error, "code", ""), detail=str(error))
    # What exactly is away, and where, is for operators: it stands in the log.
    told = AwayError("a system that is needed for this does not answer; nothing is lost")
    answer = problem(request, status=told.status, code=told.code, title=told.title, detail=told.detail)
    answer.headers.update(told.headers)
    return answer


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError), "it is registered for these alone"
    faults = [
        {"where": ".".join(str(part) for part in item["loc"]), "what": str(item["msg"])} for item in error.errors()
    ]
    if _is_browser(request) and any(fault["where"].startswith("path.") for fault in faults):
        return await _http_error(request, HTTPException(HTTPStatus.NOT_FOUND))
    log.info("call_refused", reason="unusable", code="unusable", status=422, faults=len(faults))
    # People know the field's name, but not by what part of the call it came.
    name = (lambda where: where.rpartition(".")[2]) if _is_browser(request) else str
    text = "; ".join(f"{name(fault['where'])}: {fault['what']}" for fault in faults[:10])
    return problem(
        request,
        status=422,
        code="unusable",
        title="Something in what you sent cannot be used",
        detail=json.dumps(text, ensure_ascii=True)[1:-1],
        faults=faults[:100],
    )


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException), "it is registered for these alone"
    status = HTTPStatus(error.status_code)
    code = status.phrase.lower().replace(" ", "_")
    log.info("call_refused", reason=code, code=code, status=status.value)
    title, detail = _IN_WORDS.get(status, (status.phrase, str(error.detail)))
    answer = problem(request, status=status, code=code, title=title, detail=detail)
    answer.headers.update(error.headers or {})
    return answer


async def _bug(request: Request, error: Exception) -> Response:
    log.error("call_failed", exc_info=error)
    return problem(
        request,
        status=500,
        code="internal",
        title="This should not have happened",
        detail="the error was logged; please try again, and tell the helpdesk if it happens again",
    )

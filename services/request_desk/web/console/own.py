"""A user's own pages: ask, list, watch, cancel, renew."""

from typing import Annotated
from uuid import UUID, uuid4

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import ValidationError

from services.request_desk.ledger.asking import BadCursorError
from services.request_desk.ledger.records import Page, RequestFilter
from services.request_desk.web.access import User
from services.request_desk.web.api.requests import ActingHere
from services.request_desk.web.console.forms import faults_of, submission_of
from services.request_desk.web.console.pages import page
from services.request_desk.web.faults import TooManyError, UnusableError
from services.request_desk.web.identity import Identity
from services.request_desk.web.parts import Parts, PartsHere
from services.request_desk.web.reading import request_for
from services.request_desk.web.views import RequestView

router = APIRouter(include_in_schema=False)

_EMPTY = {"project_code": "", "mous": "", "fields": "", "ticket": "", "cc": "", "force": ""}
Text = Annotated[str, Form(max_length=20_000)]
Cursor = Annotated[str | None, Query(max_length=200)]


@router.get("/requests")
async def requests(
    request: Request, user: User, parts: PartsHere, cursor: Cursor = None, part: bool = False
) -> HTMLResponse:
    """List one's own requests; with ``part`` only the list, which the page asks for anew as time goes by."""
    own = RequestFilter(owner_account=user.account, owner_email=user.email)
    try:
        found = await parts.workers.do(parts.ledger.requests, own, Page(size=25, cursor=cursor))
    except BadCursorError as error:
        raise UnusableError(str(error), reason=error.code) from error
    template = "_list.html" if part else "requests.html"
    shown = [RequestView.of(record) for record in found.requests]
    return page(request, template, user=user, requests=shown, total=found.total, next_cursor=found.next_cursor)


@router.get("/requests/new")
async def new(
    request: Request, user: User, parts: PartsHere, mous: str = "", project: str = "", fields: str = ""
) -> HTMLResponse:
    """Show the form; what the address says is filled in already."""
    given = {**_EMPTY, "mous": mous[:1000], "project_code": project[:30], "fields": fields[:1000]}
    return _form(request, user, parts, given)


@router.post("/requests")
async def submit(
    request: Request,
    user: User,
    parts: PartsHere,
    acting: ActingHere,
    key: Annotated[str, Form(min_length=1, max_length=100)],
    project_code: Text = "",
    mous: Text = "",
    fields: Text = "",
    ticket: Text = "",
    cc: Text = "",
    force: Text = "",
) -> Response:
    """Ask for data; the same form sent twice is one submission."""
    given = {"project_code": project_code, "mous": mous, "fields": fields, "ticket": ticket, "cc": cc, "force": force}
    try:
        answers = await parts.workers.do(acting.submit, user, submission_of(given), key=key)
    except ValidationError as error:
        return _form(request, user, parts, given, faults=faults_of(error, given))
    except (UnusableError, TooManyError) as error:
        return _form(request, user, parts, given, faults=[error.detail], status=error.status)
    taken = [answer for answer in answers if answer.request_id is not None]
    if len(taken) == len(answers) == 1:
        return RedirectResponse(f"/requests/{taken[0].request_id}", status_code=303)
    return page(request, "submitted.html", user=user, answers=answers, status=200 if taken else 422)


@router.get("/requests/{request_id}")
async def one(request: Request, request_id: UUID, user: User, parts: PartsHere, part: bool = False) -> HTMLResponse:
    """Show a request step by step; with ``part`` only what changes while it goes on."""
    view = RequestView.of(await request_for(user, request_id, parts))
    return page(request, "_progress.html" if part else "request.html", user=user, shown=view)


@router.post("/requests/{request_id}/cancel")
async def cancel(request_id: UUID, user: User, parts: PartsHere, acting: ActingHere) -> Response:
    """Cancel a request."""
    record = await request_for(user, request_id, parts)
    await parts.workers.do(acting.cancel, user, record, reason="")
    return RedirectResponse(f"/requests/{request_id}", status_code=303)


@router.post("/requests/{request_id}/renew")
async def renew(request_id: UUID, user: User, parts: PartsHere, acting: ActingHere) -> Response:
    """Keep a delivery for another retention time."""
    record = await request_for(user, request_id, parts)
    renewed = await parts.workers.do(acting.renew, user, record)
    return RedirectResponse(f"/deliveries/{renewed.token}", status_code=303)


def _form(
    request: Request,
    user: Identity,
    parts: Parts,
    given: dict[str, str],
    *,
    faults: list[str] | None = None,
    status: int = 422,
) -> HTMLResponse:
    return page(
        request,
        "new.html",
        user=user,
        status=status if faults else 200,
        given=given,
        faults=faults or [],
        key=uuid4().hex,
        foretells=parts.foreteller is not None,
    )

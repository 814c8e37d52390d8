"""The operators' pages: the flow, all requests, dead letters, what is stuck, the CASA catalogue."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from services.request_desk.ledger.asking import BadCursorError
from services.request_desk.ledger.records import Page, RequestFilter
from services.request_desk.ledger.states import RequestState, Step
from services.request_desk.web.access import Operator, operator
from services.request_desk.web.api.operations import ActingHere, Key, OperatingHere, QueueName
from services.request_desk.web.console.pages import page
from services.request_desk.web.faults import AwayError, UnusableError
from services.request_desk.web.logs import logs_of
from services.request_desk.web.operating import Operating, QueueView
from services.request_desk.web.parts import Parts, PartsHere
from services.request_desk.web.reading import request_for
from shared.errors import DependencyAwayError

router = APIRouter(prefix="/operations", include_in_schema=False, dependencies=[Depends(operator)])

Note = Annotated[str, Form(min_length=1, max_length=1000, pattern=r"\S")]
Word = Annotated[str, Query(max_length=200)]


@router.get("")
async def flow(
    request: Request, user: Operator, parts: PartsHere, operating: OperatingHere, part: bool = False
) -> HTMLResponse:
    """Show the flow: how much is at each step, how fast it moves, who works, what is wrong."""
    ledger = parts.ledger
    counts = await parts.workers.do(ledger.counts)
    now = ledger.now()
    rates = {hours: await parts.workers.do(ledger.rates, now - timedelta(hours=hours)) for hours in (1, 24)}
    queues = await _queues(parts, operating)
    return page(
        request,
        "_flow.html" if part else "flow.html",
        user=user,
        counts=counts,
        rates=rates,
        queues=queues,
        steps=list(Step),
        states=list(RequestState),
        now=now,
    )


@router.get("/requests")
async def requests(
    request: Request,
    user: Operator,
    parts: PartsHere,
    text: Word = "",
    state: str = "",
    step: str = "",
    stuck: bool = False,
    illegal: bool = False,
    since: Word = "",
    before: Word = "",
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    part: bool = False,
) -> HTMLResponse:
    """List all requests, as the filters want them."""
    wanted = RequestFilter(
        text=text or None,
        states=frozenset({RequestState(state)}) if state in set(RequestState) else frozenset(),
        steps=frozenset({Step(step)}) if step in set(Step) else frozenset(),
        active=True if state == "active" else None,
        stuck=stuck or None,
        with_illegal_moves=illegal or None,
        submitted_since=_day(since),
        submitted_before=_day(before),
    )
    chosen = {"text": text, "state": state, "step": step, "since": since, "before": before}
    chosen |= {name: "true" if flag else "" for name, flag in (("stuck", stuck), ("illegal", illegal))}
    try:
        found = await parts.workers.do(parts.ledger.requests, wanted, Page(size=50, cursor=cursor))
    except BadCursorError as error:
        raise UnusableError(str(error), reason=error.code) from error
    return page(
        request,
        "_all_requests.html" if part else "all_requests.html",
        user=user,
        found=found,
        chosen=chosen,
        query=urlencode({name: value for name, value in chosen.items() if value}),
        cursor=cursor,
        states=list(RequestState),
        steps=list(Step),
    )


@router.get("/requests/{request_id}")
async def one(request: Request, request_id: UUID, user: Operator, parts: PartsHere, part: bool = False) -> HTMLResponse:
    """Show all that is known of a request: blocks, waits, logs, mails, downloads, and each event whole."""
    record = await request_for(user, request_id, parts)
    return page(
        request,
        "_whole_request.html" if part else "whole_request.html",
        user=user,
        record=record,
        **await parts.workers.do(_known, request_id, parts),
    )


@router.post("/requests/{request_id}/try-now")
async def try_now(
    request_id: UUID,
    user: Operator,
    parts: PartsHere,
    acting: ActingHere,
    reason: Annotated[str, Form(max_length=500)] = "",
) -> Response:
    """Send the events of a stuck request that nothing followed on again."""
    await request_for(user, request_id, parts)
    await parts.workers.do(acting.send_on_again, user, request_id, reason=reason)
    return RedirectResponse(f"/operations/requests/{request_id}", status_code=303)


@router.post("/requests/{request_id}/keep")
async def keep(
    request_id: UUID, user: Operator, parts: PartsHere, operating: OperatingHere, kept: Annotated[bool, Form()]
) -> Response:
    """Keep a delivery for good, or no longer."""
    await request_for(user, request_id, parts)
    await parts.workers.do(operating.keep, request_id, by=user.account, kept=kept)
    return RedirectResponse(f"/operations/requests/{request_id}", status_code=303)


@router.get("/unreadable")
async def unreadable(request: Request, user: Operator, parts: PartsHere) -> HTMLResponse:
    """List events that this release could not take in."""
    return page(request, "unreadable.html", user=user, found=await parts.workers.do(parts.ledger.unreadable))


@router.get("/stuck")
async def stuck(request: Request, user: Operator, parts: PartsHere, part: bool = False) -> HTMLResponse:
    """List requests for which nothing goes forward."""
    found = await parts.workers.do(parts.ledger.stuck)
    template = "_stuck.html" if part else "stuck.html"
    return page(request, template, user=user, found=found, now=parts.ledger.now())


@router.get("/dead-letters")
async def dead_letters(
    request: Request, user: Operator, parts: PartsHere, operating: OperatingHere, part: bool = False
) -> HTMLResponse:
    """List events that services gave up."""
    found = await parts.workers.do(operating.dead_letters, None)
    return page(request, "_dead_letters.html" if part else "dead_letters.html", user=user, found=found)


@router.get("/dead-letters/{queue}/{key}")
async def dead_letter(
    request: Request, queue: QueueName, key: Key, user: Operator, parts: PartsHere, operating: OperatingHere
) -> HTMLResponse:
    """Show one with its message and its traceback."""
    letter = await parts.workers.do(operating.dead_letter, queue, key)
    return page(request, "dead_letter.html", user=user, letter=letter)


@router.post("/dead-letters/{queue}/{key}/replay")
async def replay(queue: QueueName, key: Key, user: Operator, parts: PartsHere, operating: OperatingHere) -> Response:
    """Give it to its service again."""
    await parts.workers.do(operating.replay, queue, key, by=user.account)
    return RedirectResponse("/operations/dead-letters", status_code=303)


@router.post("/dead-letters/{queue}/{key}/drop")
async def drop(
    queue: QueueName, key: Key, user: Operator, parts: PartsHere, operating: OperatingHere, note: Note
) -> Response:
    """Remove it for good, with a note."""
    await parts.workers.do(operating.drop, queue, key, by=user.account, note=note.strip())
    return RedirectResponse("/operations/dead-letters", status_code=303)


@router.get("/casa")
async def casa(request: Request, user: Operator, parts: PartsHere) -> HTMLResponse:
    """List which CASA restores what."""
    releases = () if parts.catalogue is None else parts.catalogue.releases
    return page(request, "casa.html", user=user, releases=releases)


async def _queues(parts: Parts, operating: Operating) -> list[QueueView] | None:
    """Look at the queues; None if the bus does not answer, since the rest of the page is worth showing."""
    try:
        return list(await parts.workers.do(operating.queues))
    except AwayError:
        return None


def _known(request_id: UUID, parts: Parts) -> dict[str, Any]:
    """Gather what is known of a request beside its record; a store that does not answer hides its logs only."""
    ledger = parts.ledger
    try:
        logs = logs_of(request_id, parts.objects)
    except DependencyAwayError:
        logs = None
    return {
        "timeline": ledger.timeline(request_id),
        "downloads": ledger.downloads(request_id),
        "stuck": next((each for each in ledger.stuck() if each.request.id == request_id), None),
        "to_do": len(ledger.unfinished(request_id)),
        "logs": logs,
    }


def _day(text: str) -> datetime | None:
    """Read a day as the form writes it; what is none does not restrict."""
    try:
        return datetime.combine(date.fromisoformat(text), time(), UTC)
    except ValueError:
        return None

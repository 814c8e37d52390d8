"""Requests: ask, look, cancel, renew."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from services.request_desk.deliveries.base import DeliveryView
from services.request_desk.ledger.asking import BadCursorError
from services.request_desk.ledger.records import Page, RequestFilter
from services.request_desk.ledger.states import RequestState, Step
from services.request_desk.web.access import User
from services.request_desk.web.acting import Acting, Submission, Submitted
from services.request_desk.web.api.common import PREFIX, acting_of, faults
from services.request_desk.web.faults import NotThereError, TooManyError, UnusableError
from services.request_desk.web.identity import Role
from services.request_desk.web.parts import PartsHere
from services.request_desk.web.reading import only_own, request_for
from services.request_desk.web.views import Moment, RequestList, RequestView

router = APIRouter(prefix=PREFIX, tags=["requests"], responses=faults())
ActingHere = Annotated[Acting, Depends(acting_of)]


class SubmittedList(BaseModel):
    """What became of each MOUS."""

    requests: tuple[Submitted, ...]


class Reason(BaseModel):
    """Why somebody does something."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(default="", max_length=500)


class Renewal(BaseModel):
    """Until when a delivery is wanted."""

    model_config = ConfigDict(extra="forbid")

    until: AwareDatetime | None = Field(default=None, description="Another whole retention time if left out")


class Me(BaseModel):
    """Who makes the call."""

    account: str
    name: str
    email: str | None
    roles: list[Role]


@router.get("/me", tags=["sign-in"])
async def me(user: User) -> Me:
    """Say who makes the call."""
    return Me(account=user.account, name=user.name, email=user.email, roles=sorted(user.roles))


@router.post("/requests", status_code=202, responses=faults(409))
async def submit(
    user: User,
    parts: PartsHere,
    acting: ActingHere,
    asked: Submission,
    idempotency_key: Annotated[
        str | None, Header(min_length=1, max_length=200, description="The same key is the same submission")
    ] = None,
) -> SubmittedList:
    """Ask for the calibrated data of up to 10 MOUSs; each becomes a request of its own.

    The answer has a status for each. It is a fault only if none could be submitted.
    """
    answers = await parts.workers.do(acting.submit, user, asked, key=idempotency_key)
    if all(answer.request_id is None for answer in answers):
        told = "; ".join(f"{answer.mous[:100]}: {answer.text}" for answer in answers[:10])
        if any(answer.code == "too_many_active" for answer in answers):
            raise TooManyError(told, reason="too_many_active")
        raise UnusableError(told, reason="no_mous")
    return SubmittedList(requests=answers)


@router.get("/requests", responses=faults(400))
async def requests(
    user: User,
    parts: PartsHere,
    state: Annotated[list[RequestState] | None, Query(description="Only in these states")] = None,
    step: Annotated[list[Step] | None, Query(description="Only in these steps")] = None,
    project: Annotated[str | None, Query(max_length=100)] = None,
    mous: Annotated[str | None, Query(max_length=100)] = None,
    ticket: Annotated[str | None, Query(max_length=200)] = None,
    text: Annotated[str | None, Query(max_length=200, description="Part of project, MOUS, ticket or name")] = None,
    active: Annotated[bool | None, Query(description="Only those that are under way, or only the others")] = None,
    stuck: bool | None = None,
    owner: Annotated[str | None, Query(max_length=200, description="Account; for operators")] = None,
    submitted_since: AwareDatetime | None = None,
    submitted_before: AwareDatetime | None = None,
    size: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> RequestList:
    """List requests, the newest first: one's own, or for operators and programs all."""
    wanted = RequestFilter(
        owner_account=owner,
        states=frozenset(state or ()),
        steps=frozenset(step or ()),
        project=project,
        mous=mous,
        ticket=ticket,
        text=text,
        active=active,
        stuck=stuck,
        submitted_since=submitted_since,
        submitted_before=submitted_before,
    )
    try:
        found = await parts.workers.do(parts.ledger.requests, only_own(user, wanted), Page(size=size, cursor=cursor))
    except BadCursorError as error:
        raise UnusableError(str(error), reason=error.code) from error
    shown = tuple(RequestView.of(record) for record in found.requests)
    return RequestList(requests=shown, total=found.total, next_cursor=found.next_cursor)


@router.get("/requests/{request_id}", response_model=RequestView, responses=faults(404))
async def request(request_id: UUID, user: User, parts: PartsHere) -> Response:
    """Show one request, with its execution blocks step by step."""
    record = await request_for(user, request_id, parts)
    return Response(parts.shown.text(record), media_type="application/json")


@router.get("/requests/{request_id}/timeline", responses=faults(404))
async def timeline(request_id: UUID, user: User, parts: PartsHere) -> list[Moment]:
    """List what was said about a request, in the order in which it follows from each other."""
    await request_for(user, request_id, parts)
    events = await parts.workers.do(parts.ledger.timeline, request_id)
    return [Moment.of(event) for event in events]


@router.get("/requests/{request_id}/delivery", responses=faults(404))
async def delivery(request_id: UUID, user: User, parts: PartsHere) -> DeliveryView:
    """Show a request's delivery: files with sizes and SHA-256 sums, addresses, and ready command lines."""
    await request_for(user, request_id, parts)
    if parts.deliveries is None or (found := await parts.workers.do(parts.deliveries.of_request, request_id)) is None:
        raise NotThereError("the request has no delivery", reason="no_delivery")
    return found


@router.post("/requests/{request_id}/cancel", responses=faults(404, 409))
async def cancel(
    request_id: UUID, user: User, parts: PartsHere, acting: ActingHere, why: Reason | None = None
) -> RequestView:
    """Cancel a request: whatever works for it stops within seconds."""
    record = await request_for(user, request_id, parts)
    await parts.workers.do(acting.cancel, user, record, reason=why.reason if why else "")
    return RequestView.of(await request_for(user, request_id, parts))


@router.post("/requests/{request_id}/renew", responses=faults(404, 409))
async def renew(
    request_id: UUID, user: User, parts: PartsHere, acting: ActingHere, wanted: Renewal | None = None
) -> DeliveryView:
    """Keep a delivery for longer."""
    record = await request_for(user, request_id, parts)
    return await parts.workers.do(acting.renew, user, record, until=wanted.until if wanted else None)

"""For operators: counts, queues, dead letters, what is stuck, which CASA restores what."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, ConfigDict, Field

from services.request_desk.deliveries.base import DeliveryView
from services.request_desk.ledger.records import (
    Counts,
    IllegalMove,
    RequestRecord,
    StuckRequest,
    TimelineEvent,
    UnreadableEvent,
)
from services.request_desk.web.access import Operator, operator
from services.request_desk.web.acting import Acting
from services.request_desk.web.api.common import PREFIX, acting_of, faults
from services.request_desk.web.api.requests import Reason
from services.request_desk.web.logs import LogView, log_text, logs_of
from services.request_desk.web.operating import DeadLetterShort, DeadLetterWhole, Operating, QueueView
from services.request_desk.web.parts import PartsHere
from services.request_desk.web.reading import request_for

router = APIRouter(
    prefix=f"{PREFIX}/operations", tags=["operations"], responses=faults(), dependencies=[Depends(operator)]
)

QueueName = Annotated[str, Path(max_length=100)]
Key = Annotated[str, Path(max_length=300)]


def operating_of(request: Request) -> Operating:
    """Return what does things for operators."""
    found: Operating = request.app.state.operating
    return found


OperatingHere = Annotated[Operating, Depends(operating_of)]
ActingHere = Annotated[Acting, Depends(acting_of)]


class Note(BaseModel):
    """Why something is removed."""

    model_config = ConfigDict(extra="forbid")

    note: str = Field(min_length=1, max_length=1000, pattern=r"\S")


class Keep(BaseModel):
    """Whether a delivery is kept for good."""

    model_config = ConfigDict(extra="forbid")

    kept: bool


class Resent(BaseModel):
    """How much was sent on again."""

    events: int


@router.get("/counts")
async def counts(parts: PartsHere) -> Counts:
    """Count requests, blocks and steps."""
    return await parts.workers.do(parts.ledger.counts)


@router.get("/queues")
async def queues(parts: PartsHere, operating: OperatingHere) -> list[QueueView]:
    """Show the queue of each service, and how many replicas take from it."""
    return list(await parts.workers.do(operating.queues))


@router.get("/dead-letters", responses=faults(404))
async def dead_letters(parts: PartsHere, operating: OperatingHere, queue: str | None = None) -> list[DeadLetterShort]:
    """List events that services gave up."""
    return list(await parts.workers.do(operating.dead_letters, queue))


@router.get("/dead-letters/{queue}/{key}", responses=faults(404))
async def dead_letter(queue: QueueName, key: Key, parts: PartsHere, operating: OperatingHere) -> DeadLetterWhole:
    """Show one with its message and traceback."""
    return await parts.workers.do(operating.dead_letter, queue, key)


@router.post("/dead-letters/{queue}/{key}/replay", status_code=204, responses=faults(404))
async def replay(queue: QueueName, key: Key, user: Operator, parts: PartsHere, operating: OperatingHere) -> Response:
    """Give it to its service again: what was done already is found and not done twice."""
    await parts.workers.do(operating.replay, queue, key, by=user.account)
    return Response(status_code=204)


@router.post("/dead-letters/{queue}/{key}/drop", status_code=204, responses=faults(404))
async def drop(
    queue: QueueName, key: Key, why: Note, user: Operator, parts: PartsHere, operating: OperatingHere
) -> Response:
    """Remove it for good, with a note."""
    await parts.workers.do(operating.drop, queue, key, by=user.account, note=why.note.strip())
    return Response(status_code=204)


@router.get("/stuck")
async def stuck(parts: PartsHere) -> list[StuckRequest]:
    """List requests for which nothing went forward for longer than their step may take."""
    return list(await parts.workers.do(parts.ledger.stuck))


@router.post("/requests/{request_id}/try-now", responses=faults(404, 409))
async def try_now(
    request_id: UUID, user: Operator, parts: PartsHere, acting: ActingHere, why: Reason | None = None
) -> Resent:
    """Send the events of a request that nothing followed on again, stuck or not yet."""
    await request_for(user, request_id, parts)
    reason = why.reason if why else ""
    return Resent(events=await parts.workers.do(acting.send_on_again, user, request_id, reason=reason))


@router.get("/requests/{request_id}", responses=faults(404))
async def whole_request(request_id: UUID, user: Operator, parts: PartsHere) -> RequestRecord:
    """Show all that the ledger knows of a request."""
    return await request_for(user, request_id, parts)


@router.get("/requests/{request_id}/timeline", responses=faults(404))
async def whole_timeline(request_id: UUID, user: Operator, parts: PartsHere) -> list[TimelineEvent]:
    """List a request's events with their whole messages."""
    await request_for(user, request_id, parts)
    return list(await parts.workers.do(parts.ledger.timeline, request_id))


@router.get("/requests/{request_id}/logs", responses=faults(404))
async def logs(request_id: UUID, user: Operator, parts: PartsHere) -> list[LogView]:
    """List the logs of a request: of each execution block and attempt."""
    await request_for(user, request_id, parts)
    return list(await parts.workers.do(logs_of, request_id, parts.objects))


@router.get("/requests/{request_id}/logs/{block}/{name}", response_class=PlainTextResponse, responses=faults(404))
async def log(request_id: UUID, block: Key, name: Key, user: Operator, parts: PartsHere) -> PlainTextResponse:
    """Show a log, the last part of a long one."""
    await request_for(user, request_id, parts)
    return PlainTextResponse(await parts.workers.do(log_text, request_id, block, name, parts.objects))


@router.post("/requests/{request_id}/keep", responses=faults(404, 409))
async def keep(
    request_id: UUID, wanted: Keep, user: Operator, parts: PartsHere, operating: OperatingHere
) -> DeliveryView:
    """Keep a delivery for good, or no longer."""
    await request_for(user, request_id, parts)
    return await parts.workers.do(operating.keep, request_id, by=user.account, kept=wanted.kept)


@router.get("/unreadable")
async def unreadable(parts: PartsHere) -> list[UnreadableEvent]:
    """List events that this release could not read or take in."""
    return list(await parts.workers.do(parts.ledger.unreadable))


@router.get("/illegal-moves")
async def illegal_moves(parts: PartsHere) -> list[IllegalMove]:
    """List events that contradicted what the ledger knew."""
    return list(await parts.workers.do(parts.ledger.illegal_moves))


@router.get("/casa")
async def casa(parts: PartsHere) -> list[dict[str, Any]]:
    """List which CASA, image and build restores the calibrations of which versions."""
    if parts.catalogue is None:
        return []
    return [
        {
            "from": str(release.since_version),
            "below": str(release.below),
            "casa": str(release.casa),
            **release.model_dump(
                mode="json", include={"pipeline", "cycles", "since", "until", "image", "build", "note", "source"}
            ),
        }
        for release in parts.catalogue.releases
    ]

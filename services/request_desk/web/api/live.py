"""Live progress as server-sent events: whoever comes back says what was seen last, and misses nothing."""

from collections.abc import AsyncIterator
from time import monotonic
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from services.request_desk.web.access import Operator, User
from services.request_desk.web.api.common import PREFIX, faults
from services.request_desk.web.identity import Identity
from services.request_desk.web.parts import Parts, PartsHere
from services.request_desk.web.reading import request_for

router = APIRouter(prefix=PREFIX, tags=["live"])

SILENCE = 15.0
"""Seconds after which a comment is sent, so that nobody on the way takes the connection for dead."""

LONGEST = 3600.0
"""Seconds after which a view is closed: a browser opens it again, and is asked again who it is."""

HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
LastEventId = Annotated[str | None, Header(description="The newest event that was seen; comes back by itself")]
STREAM: dict[int | str, dict[str, Any]] = {
    200: {"description": "Server-sent events", "content": {"text/event-stream": {"schema": {"type": "string"}}}}
}


@router.get("/requests/{request_id}/events", response_class=StreamingResponse, responses={**faults(404), **STREAM})
async def events(
    request_id: UUID, user: User, parts: PartsHere, last_event_id: LastEventId = None
) -> StreamingResponse:
    """Tell each change of a request: the event `progress` has the request as it is then, `end` is the last one.

    The `id` of an event is the number of the change. Each event tells all, so one that was missed is
    no loss.
    """
    await request_for(user, request_id, parts)
    since = await _since(last_event_id, parts)
    return LiveResponse(_changes(request_id, since, parts), user=user, parts=parts)


@router.get(
    "/operations/events", tags=["operations"], response_class=StreamingResponse, responses={**faults(), **STREAM}
)
async def all_events(user: Operator, parts: PartsHere, last_event_id: LastEventId = None) -> StreamingResponse:
    """Tell that requests have changed: the event `changed` lists their ids."""
    since = await _since(last_event_id, parts)
    if last_event_id is None:
        since = await parts.workers.do(parts.ledger.last_change)
    return LiveResponse(_all_changes(since, parts), user=user, parts=parts)


class LiveResponse(StreamingResponse):
    """A live view, counted while it is open.

    Parameters
    ----------
    events
        What is sent.
    user, parts
        Who watches, and what counts.
    """

    def __init__(self, events: AsyncIterator[str], *, user: Identity, parts: Parts) -> None:
        super().__init__(events, media_type="text/event-stream", headers=HEADERS)
        self._who = user.subject
        self._streams = parts.streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events until there are no more or nobody takes them; one view too many is refused."""
        with self._streams.opened(self._who):
            await super().__call__(scope, receive, send)


async def _changes(request_id: UUID, since: int, parts: Parts) -> AsyncIterator[str]:
    yield "retry: 2000\n\n"
    until = monotonic() + LONGEST
    while monotonic() < until:
        record = await parts.live.wait(request_id, since=since, timeout=SILENCE)
        if record is None:
            yield ": still here\n\n"
            continue
        since = record.change
        yield event_text("progress", since, parts.shown.text(record))
        if record.state.is_over:
            yield event_text("end", since, f'"{record.state}"')
            return


async def _all_changes(since: int, parts: Parts) -> AsyncIterator[str]:
    yield "retry: 2000\n\n"
    until = monotonic() + LONGEST
    while monotonic() < until:
        if await parts.live.wait_for_any(since=since, timeout=SILENCE) <= since:
            yield ": still here\n\n"
            continue
        changes = await parts.workers.do(parts.ledger.changes, since)
        if changes:
            since = changes[-1][0]
            ids = ", ".join(f'"{request_id}"' for _, request_id in changes)
            yield event_text("changed", since, f"[{ids}]")


def event_text(name: str, number: int, data: str) -> str:
    """Write an event; its data is one line of JSON."""
    return f"id: {number}\nevent: {name}\ndata: {data}\n\n"


async def _since(last_event_id: str | None, parts: Parts) -> int:
    """Read what was seen last; what cannot be one of ours (of a ledger before this one) is nothing."""
    if last_event_id is None or not last_event_id.isdecimal() or len(last_event_id) > 18:
        return -1
    number = int(last_event_id)
    return number if number <= await parts.workers.do(parts.ledger.last_change) else -1

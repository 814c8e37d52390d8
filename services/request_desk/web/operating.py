"""What operators look at and do: queues, dead letters, what is stuck."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import structlog
from pydantic import BaseModel, ConfigDict, Field

from contracts.flow import QUEUES
from services.request_desk.deliveries.base import DeliveryView
from services.request_desk.web.faults import AwayError, NotThereError
from services.request_desk.web.parts import Parts
from shared.bus import Bus, DeadEvent
from shared.dead_letters import body_text, event_in, record_drop
from shared.errors import RestoreError

log = structlog.get_logger()


class QueueView(BaseModel):
    """A service's queue.

    Attributes
    ----------
    ready
        Events that nobody has taken yet.
    replicas
        Processes that take from it.
    dead
        Events that it gave up.
    """

    model_config = ConfigDict(frozen=True, from_attributes=True)

    queue: str
    ready: int
    replicas: int
    dead: int


class DeadLetterShort(BaseModel):
    """An event that a service gave up."""

    model_config = ConfigDict(frozen=True)

    queue: str
    key: str
    code: str
    reason: str
    attempt: int
    first_failure: datetime | None
    topic: str | None = Field(description="None if it cannot be read")
    request_id: UUID | None


class DeadLetterWhole(DeadLetterShort):
    """An event that a service gave up, with its message and the traceback if that was kept."""

    payload: str
    traceback: str | None


class Operating:
    """Does what operators ask for.

    Parameters
    ----------
    parts
        What the application stands on.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def queues(self) -> Sequence[QueueView]:
        """Count what lies in the queue of each service."""
        return [QueueView.model_validate(depth) for depth in self._bus().depths(list(QUEUES))]

    def dead_letters(self, queue: str | None) -> Sequence[DeadLetterShort]:
        """List what one service gave up, or all did, oldest first.

        Raises
        ------
        NotThereError
            If there is no such service.
        """
        return [_short(each) for each in self._found(queue)]

    def dead_letter(self, queue: str, key: str) -> DeadLetterWhole:
        """Show one dead letter whole.

        Raises
        ------
        NotThereError
            If it is not there (any more).
        """
        letter = self._one(queue, key)
        short = _short(letter).model_dump()
        return DeadLetterWhole(**short, payload=body_text(letter), traceback=self._traceback(letter))

    def replay(self, queue: str, key: str, *, by: str) -> None:
        """Give a dead letter to its service again, as if it had never failed."""
        self._one(queue, key)
        log.warning("dead_letter_replayed", queue=queue, key=key, by=by)
        self._bus().replay(queue, [key])

    def drop(self, queue: str, key: str, *, by: str, note: str) -> None:
        """Remove a dead letter for good; note and message are kept in the store."""
        record_drop(self._one(queue, key), note=note, by=by, objects=self._parts.objects)
        self._bus().drop(queue, [key])

    def keep(self, request_id: UUID, *, by: str, kept: bool) -> DeliveryView:
        """Keep the delivery of a request for good, or no longer.

        Raises
        ------
        NotThereError
            If it has none.
        """
        deliveries = self._parts.deliveries
        found = None if deliveries is None else deliveries.of_request(request_id)
        if deliveries is None or found is None:
            raise NotThereError("the request has no delivery", reason="no_delivery")
        return deliveries.keep(found.token, by=by, kept=kept)

    def _bus(self) -> Bus:
        if self._parts.bus is None:
            raise AwayError("the desk has no bus to look into yet", reason="no_bus")
        return self._parts.bus

    def _found(self, queue: str | None) -> list[DeadEvent]:
        if queue is not None and queue not in QUEUES:
            raise NotThereError("there is no such service", reason="unknown_queue")
        there = [depth.queue for depth in self._bus().depths([queue] if queue else list(QUEUES)) if depth.dead]
        return [each for name in there for each in self._bus().dead_letters(name)]

    def _one(self, queue: str, key: str) -> DeadEvent:
        found = next((each for each in self._found(queue) if each.key == key), None)
        if found is None:
            raise NotThereError("there is no such dead letter (any more)", reason="unknown_dead_letter")
        return found

    def _traceback(self, letter: DeadEvent) -> str | None:
        if letter.artefact is None:
            return None
        try:
            return self._parts.objects.get(letter.artefact).decode(errors="replace")
        except RestoreError as error:
            return f"it cannot be read: {error}"


def _short(letter: DeadEvent) -> DeadLetterShort:
    event = event_in(letter)
    return DeadLetterShort(
        queue=letter.queue,
        key=letter.key,
        code=letter.code,
        reason=letter.reason,
        attempt=letter.attempt,
        first_failure=letter.first_failure,
        topic=event.topic if event else None,
        request_id=event.correlationid if event else None,
    )

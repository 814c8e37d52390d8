"""Ends of requests: which event ends one, and the mark that a request has ended and that its mail is out.

A request has one end. Services decide by what others' tables say at the moment, so an event
that comes twice may be answered twice and otherwise; the answer that is told first stands.

The mark outlives every message, so whoever missed the word finds it: the desk, before
it removes a trigger file, and the entitlement checker, before it calls a request active.
"""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from contracts.messages.parts import MailKind
from shared import keys
from shared.errors import DependencyAwayError
from shared.objects import ObjectExistsError, ObjectStore


class EndsOtherwiseError(DependencyAwayError):
    """A request was decided twice, and the other decision came first and is not told yet; this one waits for that."""

    code = "ends_otherwise"


class RequestEnd(BaseModel):
    """How a request ended, and by which mail that was told."""

    model_config = ConfigDict(frozen=True)

    kind: MailKind
    mail_id: UUID
    ended: datetime


class _Ending(BaseModel):
    """The event by which a request ends."""

    model_config = ConfigDict(frozen=True)

    event_id: UUID


def may_end(objects: ObjectStore, request_id: UUID, event_id: UUID) -> bool:
    """Let a request end by this event; False if it has ended by another one.

    Raises
    ------
    EndsOtherwiseError
        If it is to end by another one, which is not told yet.
    """
    key = keys.ending(request_id)
    try:
        objects.create(key, _Ending(event_id=event_id).model_dump_json().encode())
    except ObjectExistsError:
        first = _Ending.model_validate_json(objects.get(key)).event_id
        if first != event_id and find_end(objects, request_id) is None:
            raise EndsOtherwiseError(
                f"request {request_id} ends by event {first}, whose mail is not out; see to that one"
            ) from None
        return first == event_id
    return True


def mark_end(objects: ObjectStore, request_id: UUID, end: RequestEnd) -> None:
    """Mark a request as ended, after its mail is out; the first mark stands."""
    try:
        objects.create(keys.ended(request_id), end.model_dump_json().encode())
    except ObjectExistsError:
        return


def find_end(objects: ObjectStore, request_id: UUID) -> RequestEnd | None:
    """Return how a request ended, or None while its mail is not out."""
    key = keys.ended(request_id)
    if objects.info(key) is None:
        return None
    return RequestEnd.model_validate_json(objects.get(key))


def is_over(objects: ObjectStore, request_id: UUID) -> bool:
    """Whether nothing more happens for a request: it has ended, or somebody cancelled it."""
    return any(objects.info(key) is not None for key in (keys.ended(request_id), keys.cancelled(request_id)))

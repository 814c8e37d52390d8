"""Requests that were refused because their MOUS cannot be restored yet, and who was told that now it can.

A request waits under ``not-restorable/`` until its user is told; then a record under
``told-restorable/`` takes its place, for good. The word itself is an event whose id is made of
the request: said again by whoever is killed between saying and recording, it is the same event,
and the notifier sends one mail of it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from enum import StrEnum
from uuid import uuid5

import structlog
from pydantic import BaseModel, ConfigDict

from contracts.envelope import Event
from contracts.identifiers import MousUid
from contracts.messages import MousRestorable
from contracts.messages.parts import RestoreRequest
from shared import keys
from shared.objects import ObjectExistsError, ObjectMissingError, ObjectStore
from shared.service import source_of

log = structlog.get_logger()


class RefusedYet(BaseModel):
    """A request that could not be served, why, and when it was asked."""

    model_config = ConfigDict(frozen=True)

    request: RestoreRequest
    detail: str
    since: datetime


class ToldBy(StrEnum):
    """How a user was told."""

    EVENT = "event"
    PERSON = "person"


class Told(BaseModel):
    """That a request's user was told, when, and how."""

    model_config = ConfigDict(frozen=True)

    refused: RefusedYet
    told: datetime
    by: ToldBy


class NotRestorableYet:
    """Remembers refused requests in the object store, by their MOUS.

    Parameters
    ----------
    objects
        Holds the records.
    """

    def __init__(self, *, objects: ObjectStore) -> None:
        self._objects = objects

    def remember(self, refused: RefusedYet) -> None:
        """Keep a request unless its user was told already; the first record of a request stands."""
        if self.told(refused.request) is None:
            with suppress(ObjectExistsError):
                self._objects.create(_key(refused.request), refused.model_dump_json().encode())

    def of(self, mous_uid: MousUid) -> list[RefusedYet]:
        """Return the requests that wait for a MOUS."""
        return list(self._read(keys.not_restorable(mous_uid)))

    def all(self) -> list[RefusedYet]:
        """Return all requests that wait, by MOUS."""
        return list(self._read(keys.NOT_RESTORABLE))

    def told(self, request: RestoreRequest) -> Told | None:
        """Return when and how a request's user was told, or None if he was not."""
        key = keys.told_restorable(request.mous_uid, request.request_id)
        if self._objects.info(key) is None:
            return None
        return Told.model_validate_json(self._objects.get(key))

    def record_told(self, refused: RefusedYet, *, by: ToldBy, when: datetime) -> None:
        """Record that a request's user has been told, so that nobody tells him again; the first record stands."""
        request, told = refused.request, Told(refused=refused, told=when, by=by)
        with suppress(ObjectExistsError):
            key = keys.told_restorable(request.mous_uid, request.request_id)
            self._objects.create(key, told.model_dump_json().encode())
        self._objects.delete(_key(request))

    def _read(self, prefix: str) -> Iterator[RefusedYet]:
        for info in self._objects.list(prefix):
            with suppress(ObjectMissingError):  # told and removed meanwhile
                yield RefusedYet.model_validate_json(self._objects.get(info.key))


def tell(
    waiting: NotRestorableYet,
    refused: Iterable[RefusedYet],
    *,
    publish: Callable[[Sequence[Event]], None],
    clock: Callable[[], datetime],
) -> None:
    """Say of each request that its MOUS can be restored now, and record that it was said.

    Raises
    ------
    DependencyAwayError
        If bus or store are away: who was not told yet is told the next time.
    """
    for each in refused:
        publish([restorable(each)])
        waiting.record_told(each, by=ToldBy.EVENT, when=clock())
        log.info("mous_restorable_said", request_id=str(each.request.request_id), mous_uid=each.request.mous_uid)


def restorable(refused: RefusedYet) -> Event:
    """Make the event for a request; however often it is made, it is the same one."""
    message = MousRestorable(request=refused.request, since=refused.since)
    event_id = uuid5(refused.request.request_id, message.type_name())
    return Event.first(message, source=source_of("refresh"), event_id=event_id)


def _key(request: RestoreRequest) -> str:
    return f"{keys.not_restorable(request.mous_uid)}{request.request_id}.json"

"""Requests that were refused because their MOUS cannot be restored yet, kept until their users are told that it can."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from contracts.identifiers import MousUid
from contracts.messages.parts import RestoreRequest
from shared import keys
from shared.objects import ObjectExistsError, ObjectMissingError, ObjectStore


class RefusedYet(BaseModel):
    """A request that could not be served, why, and when it was asked."""

    model_config = ConfigDict(frozen=True)

    request: RestoreRequest
    detail: str
    since: datetime


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
        """Keep a request; the first record of a request stands."""
        with suppress(ObjectExistsError):
            self._objects.create(_key(refused.request), refused.model_dump_json().encode())

    def of(self, mous_uid: MousUid) -> list[RefusedYet]:
        """Return the requests that wait for a MOUS."""
        return list(self._read(keys.not_restorable(mous_uid)))

    def all(self) -> list[RefusedYet]:
        """Return all requests that wait, by MOUS."""
        return list(self._read(keys.NOT_RESTORABLE))

    def forget(self, request: RestoreRequest) -> None:
        """Remove a request: its user has been told."""
        self._objects.delete(_key(request))

    def _read(self, prefix: str) -> Iterator[RefusedYet]:
        for info in self._objects.list(prefix):
            with suppress(ObjectMissingError):  # told and removed meanwhile
                yield RefusedYet.model_validate_json(self._objects.get(info.key))


def _key(request: RestoreRequest) -> str:
    return f"{keys.not_restorable(request.mous_uid)}{request.request_id}.json"

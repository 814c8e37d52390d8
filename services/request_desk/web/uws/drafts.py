"""Jobs that were described but not begun: kept in the object store until their owner says RUN."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from contracts.messages.parts import RestoreRequest
from services.request_desk.web.faults import TooManyError
from shared import keys
from shared.objects import ObjectMissingError, ObjectStore

MOST = 50
"""Drafts that one person may have."""


class Draft(BaseModel):
    """A job that was not begun."""

    model_config = ConfigDict(frozen=True)

    request: RestoreRequest
    created: datetime


class Drafts:
    """Keeps drafts, each with its owner's others.

    Parameters
    ----------
    objects
        Where they are kept.
    """

    def __init__(self, *, objects: ObjectStore) -> None:
        self._objects = objects

    def keep(self, owner: str, draft: Draft) -> None:
        """Keep a draft, in place of an earlier one of the same job.

        Raises
        ------
        TooManyError
            If the owner has too many.
        """
        key = _key(owner, draft.request.request_id)
        if self._objects.info(key) is None and len(list(self._objects.list(_folder(owner)))) >= MOST:
            raise TooManyError("you have too many pending jobs: begin or delete some", reason="drafts")
        self._objects.put_bytes(key, draft.model_dump_json().encode())

    def find(self, owner: str, job_id: UUID) -> Draft | None:
        """Return one of an owner's drafts."""
        return self._read(_key(owner, job_id))

    def of(self, owner: str) -> Sequence[Draft]:
        """List an owner's drafts."""
        found = (self._read(info.key) for info in self._objects.list(_folder(owner)))
        return [draft for draft in found if draft is not None]

    def remove(self, owner: str, job_id: UUID) -> None:
        """Forget a draft."""
        self._objects.delete(_key(owner, job_id))

    def _read(self, key: str) -> Draft | None:
        try:
            return Draft.model_validate_json(self._objects.get(key))
        except ObjectMissingError:
            return None


def _folder(owner: str) -> str:
    """Name the folder of an owner, whose name may have any characters."""
    return keys.drafts(hashlib.sha256(owner.encode()).hexdigest()[:32])


def _key(owner: str, job_id: UUID) -> str:
    return f"{_folder(owner)}{job_id}.json"

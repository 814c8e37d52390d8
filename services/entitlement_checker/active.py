"""Who is being served: at most one active request for the same MOUS and selection, unless forced.

The records of a MOUS and selection are a chain of numbered objects, of which the last
one counts. It names the requests that were active when it was made. Whoever wants to
begin and finds that they are over (ended and told, or cancelled) or too old makes the
next link; of several who do so at one moment the store lets one succeed. The last link
is never removed, so the chain cannot be begun anew behind somebody's back.

A request that is stuck (a dead letter that nobody looks at) stops counting after a
while, so that it cannot keep others away for ever.
"""

import hashlib
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from pydantic import BaseModel, ConfigDict

from contracts.messages.parts import RestoreRequest
from shared import keys
from shared.ends import is_over
from shared.objects import ObjectExistsError, ObjectMissingError, ObjectStore

log = structlog.get_logger()


class Holder(BaseModel):
    """A request that is being served."""

    model_config = ConfigDict(frozen=True)

    request_id: UUID
    ticket: str
    since: datetime


class _Link(BaseModel):
    """The requests that were active when this link was made."""

    model_config = ConfigDict(frozen=True)

    holders: tuple[Holder, ...]


class ActiveRequests:
    """Lets a request begin unless another one for the same data is under way.

    Parameters
    ----------
    objects
        Holds the records, and the marks of requests that are over.
    longest
        After this time a request counts as stuck and keeps nobody away any more.
    clock
        Tells the time, UTC.
    """

    def __init__(self, *, objects: ObjectStore, longest: timedelta, clock: Callable[[], datetime]) -> None:
        self._objects = objects
        self._longest = longest
        self._clock = clock

    def is_over(self, request_id: UUID) -> bool:
        """Whether nothing more happens for this request: its end was told, or it was cancelled."""
        return is_over(self._objects, request_id)

    def begin(self, request: RestoreRequest) -> Holder | None:
        """Let a request begin, or return the one that is in its way.

        A request that has begun before begins again. One that is forced begins beside others.

        Raises
        ------
        DependencyAwayError
            If the store does not answer.
        """
        folder = keys.active(request.mous_uid, _digest(request))
        while True:
            number, holders = self._last(folder)
            if any(holder.request_id == request.request_id for holder in holders):
                return None
            active = [holder for holder in holders if self._is_active(holder)]
            if active and not request.force:
                return active[0]
            if self._append(folder, number + 1, (*active, self._holder(request))):
                return None

    def _holder(self, request: RestoreRequest) -> Holder:
        return Holder(request_id=request.request_id, ticket=request.ticket, since=self._clock())

    def _is_active(self, holder: Holder) -> bool:
        if self._clock() - holder.since > self._longest:
            log.warning("active_request_is_stuck_and_counts_no_more", stuck_request=str(holder.request_id))
            return False
        return not self.is_over(holder.request_id)

    def _last(self, folder: str) -> tuple[int, tuple[Holder, ...]]:
        """Return number and holders of the last link; a link that is gone has a successor."""
        while True:
            numbers = self._numbers(folder)
            if not numbers:
                return 0, ()
            try:
                data = self._objects.get(_key(folder, numbers[-1]))
            except ObjectMissingError:
                continue
            return numbers[-1], _Link.model_validate_json(data).holders

    def _append(self, folder: str, number: int, holders: tuple[Holder, ...]) -> bool:
        """Make the next link; False if somebody else did, then or before.

        Links before the last may be removed, so that a number which somebody read long ago may
        be free again: only who sees no later link afterwards has made the last one.
        """
        try:
            self._objects.create(_key(folder, number), _Link(holders=holders).model_dump_json().encode())
        except ObjectExistsError:
            return False
        numbers = self._numbers(folder)
        if numbers[-1] != number:
            self._objects.delete(_key(folder, number))
            return False
        for old in numbers[:-1]:
            self._objects.delete(_key(folder, old))
        return True

    def _numbers(self, folder: str) -> list[int]:
        return sorted(int(info.key.rpartition("/")[2].removesuffix(".json")) for info in self._objects.list(folder))


def _key(folder: str, number: int) -> str:
    return f"{folder}{number:08d}.json"


def _digest(request: RestoreRequest) -> str:
    """Name a selection; the order and repetition of fields or spectral windows make no difference."""
    selection = request.selection
    chosen = {
        "calibrator_fields": sorted(set(selection.calibrator_fields)),
        "science_only": selection.science_only,
        "spw": sorted(set(selection.spw or ())),
        "chanbin": selection.chanbin,
        "timebin": selection.timebin,
    }
    given = {name: value for name, value in chosen.items() if value}
    return hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()[:16] if given else "all"

"""Who is being served, and why: at most one active request for the same MOUS and selection, unless forced.

One record for each MOUS and selection names the requests that were active when it was
written. Whoever comes first creates it. Whoever comes later and finds that those are over
(ended and told, or cancelled) or too old replaces it, on condition that it is still the
record that was read: of several who do so at one moment the store lets one succeed. The
record is never removed, so nobody begins behind somebody's back.

A request that is stuck (a dead letter that nobody looks at) stops counting after a
while, so that it cannot keep others away for ever.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from pydantic import BaseModel, ConfigDict

from contracts.identifiers import MousUid
from contracts.messages.parts import Entitlement, ObjectRef, RestoreRequest
from shared import keys
from shared.ends import is_over
from shared.objects import ObjectChangedError, ObjectExistsError, ObjectStore, ref_of

log = structlog.get_logger()


class Holder(BaseModel):
    """A request that is being served.

    Attributes
    ----------
    entitlement
        Why it was accepted; None in records of older releases.
    asked
        Digest of the whole request as it was accepted: an id alone says nothing of who asks.
    """

    model_config = ConfigDict(frozen=True)

    request_id: UUID
    ticket: str
    since: datetime
    entitlement: Entitlement | None = None
    asked: str = ""


class _Record(BaseModel):
    """The requests that were active when this was written."""

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

    def entitlement_of(self, request: RestoreRequest) -> Entitlement | None:
        """Return why just this request was accepted when it began; None if it has not."""
        key = keys.active(request.mous_uid, _digest(request))
        if self._objects.info(key) is None:
            return None
        holders, _ = self._read(key)
        asked = _digest_of_all(request)
        return next((holder.entitlement for holder in holders if holder.asked == asked), None)

    def under_way(self, mous_uid: MousUid) -> list[Holder]:
        """Return who is being served any selection of a MOUS, the longest first.

        Raises
        ------
        DependencyAwayError
            If the store does not answer.
        """
        records = [self._read(info.key)[0] for info in self._objects.list(keys.actives(mous_uid))]
        active = [holder for holders in records for holder in holders if self._is_active(holder)]
        return sorted(active, key=lambda holder: holder.since)

    def begin(self, request: RestoreRequest, entitlement: Entitlement) -> Holder | None:
        """Let a request begin, or return the one that is in its way.

        A request that has begun before begins again. One that is forced begins beside others.

        Raises
        ------
        DependencyAwayError
            If the store does not answer.
        """
        key = keys.active(request.mous_uid, _digest(request))
        # Mostly nobody was before: then this is the only thing that the store is asked.
        own = Holder(
            request_id=request.request_id,
            ticket=request.ticket,
            since=self._clock(),
            entitlement=entitlement,
            asked=_digest_of_all(request),
        )
        while not self._is_first(key, own):
            holders, found = self._read(key)
            if any(holder.request_id == request.request_id for holder in holders):
                return None
            active = [holder for holder in holders if self._is_active(holder)]
            if active and not request.force:
                return active[0]
            if self._is_next(found, (*active, own)):
                return None
        return None

    def _is_first(self, key: str, holder: Holder) -> bool:
        try:
            self._objects.create(key, _encoded(holder))
        except ObjectExistsError:
            return False
        return True

    def _is_next(self, found: ObjectRef, holders: Sequence[Holder]) -> bool:
        """Write who is active from now on; False if somebody else did since the record was read."""
        try:
            self._objects.replace(found.key, _encoded(*holders), expected=found)
        except ObjectChangedError:
            return False
        return True

    def _read(self, key: str) -> tuple[tuple[Holder, ...], ObjectRef]:
        data = self._objects.get(key)
        ref = ref_of(key, data)
        return _Record.model_validate_json(data).holders, ref

    def _is_active(self, holder: Holder) -> bool:
        if self._clock() - holder.since > self._longest:
            log.warning("active_request_is_stuck_and_counts_no_more", stuck_request=str(holder.request_id))
            return False
        return not self.is_over(holder.request_id)


def _encoded(*holders: Holder) -> bytes:
    return _Record(holders=holders).model_dump_json().encode()


def _digest_of_all(request: RestoreRequest) -> str:
    return hashlib.sha256(request.model_dump_json().encode()).hexdigest()


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

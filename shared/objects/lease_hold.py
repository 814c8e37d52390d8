"""One claim on a key: renewed, checked, released, and known to be lost."""

from datetime import timedelta
from threading import Event, Lock
from typing import NoReturn

import structlog

from contracts.messages.parts import ObjectRef
from shared.errors import RestoreError
from shared.objects.base import ObjectChangedError, ObjectMissingError, ObjectStore
from shared.objects.lease_records import Clock, LeaseRecord
from shared.objects.streams import ref_of

log = structlog.get_logger(__name__)


class LeaseHeldError(RestoreError):
    """Another does this work now; the message waits and is looked at again.

    Parameters
    ----------
    record
        The lease as it was found: its owner, token and stated end.
    """

    code = "lease_held"
    transient = True

    def __init__(self, record: LeaseRecord) -> None:
        super().__init__(
            f"{record.key} is worked on by {record.owner} (token {record.token}, until {record.until:%Y-%m-%d %H:%M:%S}"
            " unless renewed); it is looked at again later"
        )
        self.record = record


class LeaseLostError(RestoreError):
    """The lease has gone to another; what this holder made must not be named or published."""

    code = "lease_lost"
    transient = True


class Lease:
    """A claim on a key. Methods may be called from several threads.

    Attributes
    ----------
    lost
        Set as soon as it is known that the lease has gone to another. While the store
        is away it is not set: nobody else can claim either.
    """

    def __init__(self, *, objects: ObjectStore, clock: Clock, record: LeaseRecord, ref: ObjectRef) -> None:
        self._objects = objects
        self._clock = clock
        self._record = record
        self._ref = ref
        self._lock = Lock()
        self._released = False
        self.lost = Event()

    @property
    def key(self) -> str:
        """What is claimed."""
        return self._record.key

    @property
    def owner(self) -> str:
        """Who claims it."""
        return self._record.owner

    @property
    def token(self) -> int:
        """The fencing token: greater than that of every earlier claim of this key."""
        return self._record.token

    @property
    def ttl(self) -> timedelta:
        """How long others wait for a sign of life."""
        return self._record.ttl

    def renew(self) -> None:
        """Give a sign of life: nobody takes over for another ``ttl``.

        Raises
        ------
        LeaseLostError
            If the lease has gone to another or was released.
        DependencyAwayError
            If the store is away; the lease may still be ours.
        """
        with self._lock:
            self._check_held()
            self._replace(self._record.beaten(self._clock.now()))

    def check(self) -> None:
        """Raise `LeaseLostError` unless the lease is ours; call it before anything is named or published.

        It renews the lease, so that the caller has ``ttl`` to do the naming.
        """
        self.renew()

    def release(self) -> None:
        """Let others claim at once; nothing happens if the lease was lost or released already."""
        with self._lock:
            if self._released or self.lost.is_set():
                return
            try:
                self._replace(self._record.ended(self._clock.now()))
            except LeaseLostError:
                return
            self._released = True

    def _check_held(self) -> None:
        if self._released:
            raise LeaseLostError(f"The lease of {self.key} was released by {self.owner}; claim it anew")
        if self.lost.is_set():
            raise LeaseLostError(self._told_lost())

    def _replace(self, record: LeaseRecord) -> None:
        try:
            self._ref = self._objects.replace(self._ref.key, record.encoded(), expected=self._ref)
        except ObjectChangedError:
            # A change whose answer we never got is no other's: go on from what is there.
            self._ref = self._ours_as_it_is()
            try:
                self._ref = self._objects.replace(self._ref.key, record.encoded(), expected=self._ref)
            except ObjectChangedError as error:
                self._lose(error)
        self._record = record

    def _ours_as_it_is(self) -> ObjectRef:
        found = read_record(self._objects, self._ref.key)
        if found is None or found[0].claim != self._record.claim:
            self._lose(None)
        return found[1]

    def _lose(self, cause: Exception | None) -> NoReturn:
        self.lost.set()
        log.warning("lease_lost", key=self.key, owner=self.owner, token=self.token)
        raise LeaseLostError(self._told_lost()) from cause

    def _told_lost(self) -> str:
        return f"{self.owner} lost its lease of {self.key} (token {self.token}) to another; its result is not used"


def read_record(objects: ObjectStore, place: str) -> tuple[LeaseRecord, ObjectRef] | None:
    """Read a record, and refer to exactly what was read."""
    try:
        data = objects.get(place)
    except ObjectMissingError:
        return None
    ref = ref_of(place, data)
    return LeaseRecord.decoded(data, where=place), ref

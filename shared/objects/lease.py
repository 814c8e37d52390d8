"""Leases: of several who could do the same long work one does it, and another takes over when it dies.

A lease is a small record ``leases/KEY.json`` that is only ever created or replaced
conditionally (`ObjectStore.create`, `ObjectStore.replace`), so that every change has one
winner. It names its holder by a random claim id and carries a *fencing token*, an
integer that grows with each claim of the key.

Safety rests on the conditional replacement alone, never on a clock: `Lease.check`
renews the record, which fails as soon as another has claimed it. It must be called
before anything is named or published. What remains is a holder that stalls for longer
than ``ttl`` between its check and its naming; name by `ObjectStore.create`, which only
the first of two can do.

Clocks decide only when another may take over. A record is dead when

* this process has seen it unchanged for its ``ttl``, by its own monotonic clock, or
* its stated end is past by more than an allowed skew (so that who comes anew, as a
  redelivery does, need not watch first).

With clocks further apart than the allowed skew a living holder can lose its lease: the
work is then done twice, but its result is named once.

A released record is kept, for the token's sake, until `Leases.sweep`. A token is also
never less than the milliseconds since 1970, so that it grows even where a record was removed.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from threading import Event, Thread

import structlog

from contracts.messages.parts import ObjectRef
from shared.errors import RestoreError
from shared.objects.base import ObjectChangedError, ObjectExistsError, ObjectStore
from shared.objects.lease_hold import Lease, LeaseHeldError, LeaseLostError, read_record
from shared.objects.lease_records import Clock, LeaseRecord, SystemClock, Watch

__all__ = ["Clock", "Lease", "LeaseHeldError", "LeaseLostError", "LeaseRecord", "Leases"]

FOLDER = "leases/"
ALLOWED_SKEW = timedelta(seconds=30)
LONGEST_RENEWAL_INTERVAL = timedelta(seconds=60)

log = structlog.get_logger(__name__)


class Leases:
    """Claims, lists and sweeps leases.

    Keep one for the life of a process: it remembers what it has watched.

    Parameters
    ----------
    objects
        The store that holds the records.
    clock
        This host's clocks.
    allowed_skew
        How far the clocks of two hosts may differ; see the module.
    """

    def __init__(
        self, *, objects: ObjectStore, clock: Clock | None = None, allowed_skew: timedelta = ALLOWED_SKEW
    ) -> None:
        self._objects = objects
        self._clock = clock or SystemClock()
        self._allowed_skew = allowed_skew
        self._watch = Watch(clock=self._clock)

    def claim(self, key: str, *, owner: str, ttl: timedelta) -> Lease:
        """Claim a key, taking it over if its holder is dead.

        Parameters
        ----------
        key
            What is claimed, e.g. the folder of a product; a slash at its end does not count.
        owner
            Who claims, for people: service, host, process.
        ttl
            How long others shall wait for a sign of life before they take over; the
            lease has to be renewed several times in it.

        Raises
        ------
        LeaseHeldError
            If another holds it and lives, as far as can be told.
        """
        key = key.rstrip("/")
        place = f"{FOLDER}{key}.json"
        found: tuple[LeaseRecord, ObjectRef] | None = None  # as a rule nobody has claimed it yet: so begin with that
        while True:  # each round after the second means that another has just claimed or released
            if found and not self._may_take(found[0]):
                raise LeaseHeldError(found[0])
            record = LeaseRecord.claimed(
                key, owner=owner, ttl=ttl, now=self._clock.now(), after=found[0] if found else None
            )
            try:
                ref = self._written(place, record, found[1] if found else None)
            except (ObjectExistsError, ObjectChangedError):
                found = read_record(self._objects, place)
                continue
            self._watch.forget(key)
            if found and not found[0].released:
                log.warning("lease_taken_over", key=key, owner=owner, token=record.token, dead=found[0].owner)
            return Lease(objects=self._objects, clock=self._clock, record=record, ref=ref)

    @contextmanager
    def held(self, key: str, *, owner: str, ttl: timedelta) -> Iterator[Lease]:
        """Claim a key, renew it in the background every quarter of ``ttl`` (a minute at most), and release it.

        Look at `Lease.lost` during long work, and call `Lease.check` before anything is named.

        Raises
        ------
        LeaseHeldError
            If another holds it.
        """
        lease = self.claim(key, owner=owner, ttl=ttl)
        done = Event()
        interval = min(ttl / 4, LONGEST_RENEWAL_INTERVAL).total_seconds()
        renewer = Thread(target=_keep, args=(lease, done, interval), name=f"lease-{key}", daemon=True)
        renewer.start()
        try:
            yield lease
        finally:
            done.set()
            renewer.join()
            _release_quietly(lease)

    def standing(self, prefix: str = "") -> Iterator[LeaseRecord]:
        """List the leases that were not released, dead ones among them, of keys that begin with ``prefix``."""
        return (record for record in self._records(prefix) if not record.released)

    def is_over(self, key: str, *, since: timedelta) -> bool:
        """Whether the lease of a key ended so long ago, by release or death, or there is no record of one."""
        found = read_record(self._objects, f"{FOLDER}{key.rstrip('/')}.json")
        return found is None or found[0].until < self._long_ago(since)

    def sweep(self, older_than: timedelta) -> int:
        """Remove the records of leases that were released or died so long ago, and count them.

        Should one of them be claimed in this very moment, its holder loses it at its next check.
        """
        before = self._long_ago(older_than)
        gone = [record for record in self._records("") if record.until < before]
        for record in gone:
            self._objects.delete(f"{FOLDER}{record.key}.json")
        return len(gone)

    def _long_ago(self, age: timedelta) -> datetime:
        return self._clock.now() - age - self._allowed_skew

    def _may_take(self, record: LeaseRecord) -> bool:
        return record.is_over(self._clock.now(), self._allowed_skew) or self._watch.is_dead(record)

    def _written(self, place: str, record: LeaseRecord, instead_of: ObjectRef | None) -> ObjectRef:
        if instead_of is None:
            return self._objects.create(place, record.encoded())
        return self._objects.replace(place, record.encoded(), expected=instead_of)

    def _records(self, prefix: str) -> Iterator[LeaseRecord]:
        for info in self._objects.list(FOLDER + prefix):
            if found := read_record(self._objects, info.key):
                yield found[0]


def _keep(lease: Lease, done: Event, interval: float) -> None:
    while not done.wait(interval):
        try:
            lease.renew()
        except LeaseLostError:
            return
        except RestoreError as error:
            log.warning(
                "lease_not_renewed", key=lease.key, owner=lease.owner, error=str(error), tried_again_in=interval
            )


def _release_quietly(lease: Lease) -> None:
    """Release; if the store is away the lease ends by itself, and what was done in it is not undone."""
    try:
        lease.release()
    except RestoreError as error:
        log.warning("lease_left_to_expire", key=lease.key, owner=lease.owner, error=str(error))

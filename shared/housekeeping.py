"""Keep the object store tidy while a service runs: remove what killed writers left behind."""

import random
from collections.abc import Sequence
from datetime import timedelta
from threading import Event, Thread
from types import TracebackType
from typing import Self

import structlog

from shared.errors import RestoreError
from shared.objects import ObjectStore
from shared.objects.lease import Leases
from shared.service import Tidier

log = structlog.get_logger(__name__)


class Housekeeping:
    """Sweeps the store in a thread, as a context manager. Several processes may do it to one store.

    Parameters
    ----------
    objects
        The store.
    interval
        Seconds between two sweeps.
    age
        How long ago a write must have begun, or a lease ended, to be taken for dead.
    first
        Seconds until the first sweep; a random part of the interval if None, so that
        replicas that were started together do not sweep together.
    tidiers
        Services that leave things of their own there.
    """

    def __init__(
        self,
        *,
        objects: ObjectStore,
        interval: float,
        age: timedelta,
        first: float | None = None,
        tidiers: Sequence[Tidier] = (),
    ) -> None:
        self._objects = objects
        self._interval = interval
        self._age = age
        self._first = random.uniform(0, interval) if first is None else first  # noqa: S311  (no secret: spreads replicas)
        self._leases = Leases(objects=objects)
        self._tidiers = tuple(tidiers)
        self._done = Event()
        self._thread = Thread(target=self._keep, name="housekeeping", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A sweep under way is not waited for: it may be cut off anywhere and goes on elsewhere.
        self._done.set()

    def sweep(self) -> None:
        """Remove what is left behind; a store that is away is swept the next time."""
        try:
            things = self._objects.sweep(self._age) + sum(tidier.tidy(self._age) for tidier in self._tidiers)
            leases = self._leases.sweep(self._age)
        except RestoreError as error:
            log.warning("store_not_swept", error=str(error), tried_again_in=self._interval)
            return
        except Exception:  # one object that breaks something must not end the care of all others
            log.exception("store_not_swept_whole", tried_again_in=self._interval)
            return
        if things or leases:
            log.info("store_swept", left_by_killed_writers=things, leases=leases)

    def _keep(self) -> None:
        pause = self._first
        while not self._done.wait(pause):
            self.sweep()
            pause = self._interval

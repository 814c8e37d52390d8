"""Several files at a time, in a bounded pool; after a failure none is begun."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, wait
from threading import Event, Lock
from typing import Any, TypeVar

from services.ngas_fetcher.errors import FetchAbandonedError
from services.ngas_fetcher.pool import Group, Job
from services.ngas_fetcher.stop import Stop
from shared.errors import DependencyAwayError

T = TypeVar("T")
GRACE = 1.5
"""Seconds that transfers get to end when they are told to stop; one that still waits for a connection ends later."""


def run_all(group: Group, jobs: Sequence[Job[T]], *, stop: Stop, interval: float, tick: Callable[[], None]) -> list[T]:
    """Run jobs in the pool and return their results in order.

    After a failure no further job is begun. If it was that a dependency is away,
    those at work go on to their end, since what they bring is needed later;
    any other failure stops them.

    Parameters
    ----------
    group
        The request's part of the pool.
    jobs
        What to run; each looks at ``stop`` while it works.
    stop
        Told when a job fails for good. If somebody else tells it, this returns within seconds.
    interval, tick
        Every so many seconds ``tick`` is called in this thread.

    Raises
    ------
    FetchAbandonedError
        If told to stop.
    Exception
        What ``tick`` or the first failing job (in order, of those that failed by themselves) raised,
        after every job has ended.
    """
    futures = [group.submit(job) for job in jobs]
    watch = _Watch(futures)
    try:
        while watch.left:
            stop.check()
            if failures := watch.wait(interval):
                _cancel(futures)
                if not all(isinstance(error, DependencyAwayError) for error in failures):
                    break
            tick()
    except BaseException:  # whatever it is, nothing may run on behind its back
        _end(futures, stop)
        raise
    if watch.left:
        _end(futures, stop)
    failures = _failures(future for future in futures if future.done())
    if failures:
        raise next((error for error in failures if not isinstance(error, FetchAbandonedError)), failures[0])
    return [future.result() for future in futures]


class _Watch:
    """Sees futures end: each says so itself, since to look at all again and again takes longer the more there are.

    Parameters
    ----------
    futures
        Which.

    Attributes
    ----------
    left
        How many have not ended.
    """

    def __init__(self, futures: Sequence[Future[Any]]) -> None:
        self.left = len(futures)
        self._failures = list[BaseException]()
        self._lock = Lock()
        self._news = Event()
        for future in futures:
            future.add_done_callback(self._see)

    def wait(self, seconds: float) -> list[BaseException]:
        """Wait until one has failed or all have ended, but not longer; tell the failures since the last look."""
        self._news.wait(seconds)
        self._news.clear()
        with self._lock:
            failures, self._failures = self._failures, []
        return failures

    def _see(self, future: Future[Any]) -> None:
        failures = _failures([future])
        with self._lock:
            self.left -= 1
            self._failures += failures
            if failures or not self.left:
                self._news.set()


def _cancel(futures: Iterable[Future[T]]) -> list[Future[T]]:
    """Let none be begun; tell those that have been."""
    return [future for future in futures if not future.cancel()]


def _end(futures: Iterable[Future[T]], stop: Stop) -> None:
    stop.tell()
    wait(_cancel(futures), timeout=GRACE)


def _failures(futures: Iterable[Future[T]]) -> list[BaseException]:
    return [error for future in futures if not future.cancelled() and (error := future.exception()) is not None]

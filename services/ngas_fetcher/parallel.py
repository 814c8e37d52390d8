"""Several files at a time, in a bounded pool; after a failure none is begun."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from typing import TypeVar

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
    pending = set(futures)
    try:
        while pending:
            stop.check()
            done, pending = wait(pending, timeout=interval, return_when=FIRST_EXCEPTION)
            if failures := _failures(done):
                pending = {future for future in pending if not future.cancel()}
                if not all(isinstance(error, DependencyAwayError) for error in failures):
                    break
            tick()
    except BaseException:  # whatever it is, nothing may run on behind its back
        _end(pending, stop)
        raise
    if pending:
        _end(pending, stop)
    failures = _failures(future for future in futures if future.done())
    if failures:
        raise next((error for error in failures if not isinstance(error, FetchAbandonedError)), failures[0])
    return [future.result() for future in futures]


def _end(pending: Iterable[Future[T]], stop: Stop) -> None:
    stop.tell()
    wait([future for future in pending if not future.cancel()], timeout=GRACE)


def _failures(futures: Iterable[Future[T]]) -> list[BaseException]:
    return [error for future in futures if not future.cancelled() and (error := future.exception()) is not None]

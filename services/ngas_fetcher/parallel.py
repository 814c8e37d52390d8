"""Several files at a time, in a bounded pool; after a failure none is begun."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Executor, Future, wait
from contextvars import copy_context
from typing import TypeVar

from services.ngas_fetcher.errors import FetchAbandonedError
from services.ngas_fetcher.patience import Stop
from shared.errors import DependencyAwayError

T = TypeVar("T")


def run_all(
    executor: Executor, jobs: Sequence[Callable[[], T]], *, stop: Stop, interval: float, tick: Callable[[], None]
) -> list[T]:
    """Run jobs in the pool and return their results in order.

    After a failure no further job is begun. If it was that a dependency is away,
    those at work go on to their end, since what they bring is needed later;
    any other failure stops them.

    Parameters
    ----------
    executor
        The pool; its size bounds how many run at a time.
    jobs
        What to run; each looks at ``stop`` while it works.
    stop
        Told when a job fails for good.
    interval, tick
        Every so many seconds ``tick`` is called in this thread.

    Raises
    ------
    Exception
        What ``tick`` or the first failing job (in order, of those that failed by themselves) raised,
        after every job has ended.
    """
    futures = [executor.submit(copy_context().run, job) for job in jobs]
    pending = set(futures)
    try:
        while pending:
            done, pending = wait(pending, timeout=interval, return_when=FIRST_EXCEPTION)
            if failures := _failures(done):
                pending = {future for future in pending if not future.cancel()}
                if not all(isinstance(error, DependencyAwayError) for error in failures):
                    stop.tell()
            tick()
    except BaseException:  # whatever it is, nothing may run on behind its back
        stop.tell()
        wait([future for future in pending if not future.cancel()])
        raise
    failures = _failures(futures)
    if failures:
        raise next((error for error in failures if not isinstance(error, FetchAbandonedError)), failures[0])
    return [future.result() for future in futures]


def _failures(futures: Iterable[Future[T]]) -> list[BaseException]:
    return [error for future in futures if not future.cancelled() and (error := future.exception()) is not None]

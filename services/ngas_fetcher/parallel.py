"""Several files at a time, in a bounded pool; the first failure ends the rest."""

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Executor, Future, wait
from contextvars import copy_context
from typing import TypeVar

from services.ngas_fetcher.errors import FetchAbandonedError
from services.ngas_fetcher.patience import Stop

T = TypeVar("T")


def run_all(
    executor: Executor, jobs: Sequence[Callable[[], T]], *, stop: Stop, interval: float, tick: Callable[[], None]
) -> list[T]:
    """Run jobs in the pool and return their results in order.

    Parameters
    ----------
    executor
        The pool; its size bounds how many run at a time.
    jobs
        What to run; each looks at ``stop`` while it works.
    stop
        Told when a job fails.
    interval, tick
        Every so many seconds ``tick`` is called in this thread.

    Raises
    ------
    Exception
        What the first failing job (in order, of those that failed by themselves) or ``tick`` raised,
        after every job has ended.
    """
    futures = [executor.submit(copy_context().run, job) for job in jobs]
    try:
        pending = set(futures)
        while pending:
            done, pending = wait(pending, timeout=interval, return_when=FIRST_EXCEPTION)
            if any(future.exception() for future in done):
                break
            tick()
    finally:
        _end(futures, stop)
    failures = [error for future in futures if not future.cancelled() and (error := future.exception())]
    for error in failures:
        if not isinstance(error, FetchAbandonedError):
            raise error
    if failures:
        raise failures[0]
    return [future.result() for future in futures]


def _end(futures: Sequence[Future[T]], stop: Stop) -> None:
    """Let nothing run on behind a failure's back."""
    if all(future.done() and not future.exception() for future in futures):
        return
    stop.tell()
    for future in futures:
        future.cancel()
    wait(futures)

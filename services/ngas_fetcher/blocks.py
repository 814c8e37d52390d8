"""The execution blocks of a request, side by side: a thread of each waits for its transfers, one hears of all ends."""

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import TypeVar

from contracts.identifiers import ExecBlockUid
from services.ngas_fetcher.progress import Progress, Sized
from services.ngas_fetcher.stop import Stop

T = TypeVar("T")


@dataclass(eq=False, kw_only=True)
class Block:
    """An execution block while it is staged.

    Attributes
    ----------
    stop
        Ends its transfers.
    progress
        Counts what comes.
    holding
        What comes, once something does.
    """

    eb_uid: ExecBlockUid
    stop: Stop = field(default_factory=Stop)
    progress: Progress = field(default_factory=Progress)
    holding: Sized | None = None


def side_by_side(
    blocks: Sequence[Block],
    work: Callable[[Block], T],
    *,
    at_a_time: int,
    interval: float,
    ended: Callable[[Block, Future[T]], None],
    tick: Callable[[Sequence[Block]], None],
) -> None:
    """Work at several blocks at a time, begun in order; return when all have ended.

    Parameters
    ----------
    blocks
        What is worked at.
    work
        What is done with each, in a thread and in this thread's context.
    at_a_time
        Most blocks at work.
    ended
        Called in this thread for each block, as soon as its work has ended.
    interval, tick
        Every so many seconds ``tick`` is called in this thread with the blocks at work.

    Raises
    ------
    Exception
        What ``ended`` or ``tick`` raised; then no further block is begun, and those at work were told to stop.
    """
    with ThreadPoolExecutor(at_a_time, thread_name_prefix="block") as threads:
        futures = {threads.submit(copy_context().run, work, block): block for block in blocks}
        pending = set(futures)
        try:
            while pending:
                done, pending = wait(pending, timeout=interval, return_when=FIRST_COMPLETED)
                for future in [future for future in futures if future in done]:
                    ended(futures[future], future)
                tick([block for future, block in futures.items() if future.running()])
        finally:
            for future in pending:
                if not future.cancel():
                    futures[future].stop.tell()

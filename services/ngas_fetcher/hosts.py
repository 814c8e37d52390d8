"""How many requests a host gets from us at a time: below what makes it answer that it is busy."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition

from services.ngas_fetcher.stop import Stop

_LOOK = 0.2


class HostSlots:
    """Counts our requests per host.

    Parameters
    ----------
    limit
        Requests that a host gets at a time.
    """

    def __init__(self, *, limit: int) -> None:
        self._limit = limit
        self._free = Condition()
        self._taken: Counter[str] = Counter()

    def has_room(self, host: str, *, promised: int = 0) -> bool:
        """Whether a request to this host could begin now, if so many that were let begin may not have done so yet."""
        with self._free:
            return max(self._taken[host], promised) < self._limit

    @contextmanager
    def hold(self, host: str, stop: Stop | None = None) -> Iterator[None]:
        """Wait for a slot of this host, and keep it for the block.

        Raises
        ------
        FetchAbandonedError
            If told to stop while it waits.
        """
        with self._free:
            while self._taken[host] >= self._limit:
                self._free.wait(_LOOK)
                if stop is not None:
                    stop.check()
            self._taken[host] += 1
        try:
            yield
        finally:
            with self._free:
                self._taken[host] -= 1
                self._free.notify_all()

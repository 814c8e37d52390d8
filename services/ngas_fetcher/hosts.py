"""How many requests a host gets from us at a time: below what makes it answer that it is busy."""

import math
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition

from services.ngas_fetcher.addresses import host_of_server
from services.ngas_fetcher.errors import NgasAwayError
from services.ngas_fetcher.stop import Stop

_LOOK = 0.2


class HostSlots:
    """Counts our requests per host, however its address is spelled.

    Parameters
    ----------
    limit
        Requests that a host gets at a time.
    """

    def __init__(self, *, limit: int) -> None:
        self._limit = limit
        self._free = Condition()
        self._taken: Counter[str] = Counter()

    @property
    def limit(self) -> int:
        """Requests that a host gets at a time."""
        return self._limit

    def has_room(self, server: str, *, promised: int = 0) -> bool:
        """Whether a request to this host could begin now, if so many that were let begin may not have done so yet."""
        with self._free:
            return max(self._taken[host_of_server(server)], promised) < self._limit

    @contextmanager
    def hold(self, server: str, stop: Stop | None = None, *, until: float = math.inf) -> Iterator[None]:
        """Wait for a slot of this host, and keep it for the block.

        Raises
        ------
        FetchAbandonedError
            If told to stop while it waits.
        NgasAwayError
            If there is none until this time of the monotonic clock.
        """
        host = host_of_server(server)
        with self._free:
            while self._taken[host] >= self._limit:
                self._free.wait(_LOOK)
                if stop is not None:
                    stop.check()
                if time.monotonic() > until:
                    raise NgasAwayError(f"{server} had no free place among our {self._limit} requests at a time")
            self._taken[host] += 1
        try:
            yield
        finally:
            with self._free:
                self._taken[host] -= 1
                self._free.notify_all()

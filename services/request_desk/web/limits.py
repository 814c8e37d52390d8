"""How much one person may do: calls per minute, live views, and requests that are under way."""

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

from services.request_desk.web.faults import TooManyError
from services.request_desk.web.settings import WebSettings

_MINUTE = 60.0


class Pace:
    """Lets so many calls of each pass within a minute, evenly: the generic cell rate algorithm (ITU-T I.371).

    It keeps one number for each who calls: when the calls that have passed would have been due at the
    even pace. A call passes unless that is more than a minute ahead.

    Parameters
    ----------
    per_minute
        How many calls may pass, at once or spread.
    clock
        Counts seconds.
    """

    def __init__(self, per_minute: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.per_minute = per_minute
        self._step = _MINUTE / per_minute
        self._clock = clock
        self._due: dict[str, float] = {}
        self._lock = Lock()
        self._sweep_at = 1000

    def take(self, who: str) -> float:
        """Let a call pass, which gives 0, or tell for how many seconds it is too early."""
        with self._lock:
            now = self._clock()
            due = max(self._due.get(who, now), now) + self._step
            if (wait := due - now - _MINUTE) > 1e-6:
                return wait
            self._due[who] = due
            self._sweep(now)
            return 0.0

    def _sweep(self, now: float) -> None:
        """Forget who has not called for long, whenever there are twice as many as after the last time."""
        if len(self._due) > self._sweep_at:
            self._due = {who: due for who, due in self._due.items() if due > now}
            self._sweep_at = max(1000, 2 * len(self._due))


class RateLimits:
    """Counts the calls of everybody.

    Each process counts for itself: with several replicas a user may do so many times more.

    Parameters
    ----------
    settings
        How many calls there may be.
    """

    def __init__(self, *, settings: WebSettings) -> None:
        self._reads = Pace(settings.reads_per_minute)
        self._changes = Pace(settings.changes_per_minute)
        self._visits = Pace(settings.sign_ins_per_minute)

    def count(self, who: str, *, changes: bool) -> None:
        """Count a call of somebody who is known.

        Raises
        ------
        TooManyError
            If it is one too many.
        """
        _count(self._changes if changes else self._reads, who, "changes" if changes else "reads")

    def count_visitor(self, address: str) -> None:
        """Count a call of an address that nobody is known from.

        Raises
        ------
        TooManyError
            If it is one too many.
        """
        _count(self._visits, address, "visits")


def _count(pace: Pace, who: str, kind: str) -> None:
    if wait := pace.take(who):
        raise TooManyError(
            f"more than {pace.per_minute} calls within a minute: wait a little, and ask less often",
            reason=f"rate_{kind}",
            headers={"Retry-After": str(math.ceil(wait))},
        )


class Streams:
    """Counts live views, each of which keeps a connection open.

    Parameters
    ----------
    per_user, in_all
        How many there may be.
    """

    def __init__(self, *, per_user: int, in_all: int) -> None:
        self._per_user = per_user
        self._in_all = in_all
        self._lock = Lock()
        self._open: Counter[str] = Counter()

    @contextmanager
    def opened(self, who: str) -> Iterator[None]:
        """Count a live view while it is open.

        Raises
        ------
        TooManyError
            If it is one too many.
        """
        with self._lock:
            if self._open[who] >= self._per_user or self._open.total() >= self._in_all:
                raise TooManyError(
                    "too many live views are open: close some", reason="streams", headers={"Retry-After": "30"}
                )
            self._open[who] += 1
        try:
            yield
        finally:
            with self._lock:
                self._open[who] -= 1
                if not self._open[who]:
                    del self._open[who]


def share(*, active_in_all: int, users: int, most: int, crowded: int) -> int:
    """Say how many requests one user may have under way.

    While there is room everybody may have ``most``. Once ``crowded`` requests are under way everybody
    has the same share of that number, so that who came first cannot keep others from their turn.

    Parameters
    ----------
    active_in_all
        Requests of all users that are under way.
    users
        How many users these are of, who asks included.
    most
        What one user may have at most.
    crowded
        From how many in all on room is shared.
    """
    if active_in_all < crowded:
        return most
    return max(1, min(most, crowded // max(1, users)))

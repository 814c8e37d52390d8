"""How much one person may do: calls per minute, live views, and requests that are under way."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from services.request_desk.web.faults import TooManyError
from services.request_desk.web.settings import WebSettings


class RateLimits:
    """Counts the calls of everybody over the last minute.

    Each process counts for itself: with several replicas a user may do so many times more.

    Parameters
    ----------
    settings
        How many calls there may be.
    """

    def __init__(self, *, settings: WebSettings) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._reads = RateLimitItemPerMinute(settings.reads_per_minute)
        self._changes = RateLimitItemPerMinute(settings.changes_per_minute)
        self._sign_ins = RateLimitItemPerMinute(settings.sign_ins_per_minute)

    def count(self, who: str, *, changes: bool) -> None:
        """Count a call of somebody who is known.

        Raises
        ------
        TooManyError
            If it is one too many.
        """
        self._count(self._changes if changes else self._reads, "changes" if changes else "reads", who)

    def count_visitor(self, address: str) -> None:
        """Count a call of an address that nobody is known from.

        Raises
        ------
        TooManyError
            If it is one too many.
        """
        self._count(self._sign_ins, "visitor", address)

    def _count(self, limit: RateLimitItemPerMinute, kind: str, who: str) -> None:
        if not self._limiter.hit(limit, kind, who):
            raise TooManyError(
                f"more than {limit.amount} calls within a minute: wait a little, and ask less often",
                reason=f"rate_{kind}",
                headers={"Retry-After": "10"},
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

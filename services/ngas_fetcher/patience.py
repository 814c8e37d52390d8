"""How often and after which pauses a broken conversation with NGAS is begun again."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event

from tenacity import RetryCallState, Retrying, retry_if_exception_type

from services.ngas_fetcher.errors import FetchAbandonedError, NgasAwayError


class Stop:
    """Told to whoever fetches: stop, nobody needs it any more. Pauses end at once too."""

    def __init__(self) -> None:
        self._told = Event()

    def tell(self) -> None:
        """Tell everybody to stop."""
        self._told.set()

    @property
    def is_told(self) -> bool:
        """Whether work should stop."""
        return self._told.is_set()

    def check(self) -> None:
        """Go on, or raise `FetchAbandonedError`."""
        if self._told.is_set():
            raise FetchAbandonedError("The fetch was told to stop; it goes on where it was when it is asked for again")

    def wait(self, seconds: float) -> None:
        """Pause, but not beyond the word to stop."""
        self._told.wait(seconds)
        self.check()


@dataclass(frozen=True, kw_only=True)
class Patience:
    """When to try again.

    Attributes
    ----------
    attempts
        Tries in a row that may fail without any progress.
    backoff
        Longest pause in seconds after the first of them; it doubles with each.
    limit
        Longest pause in seconds after any.
    """

    attempts: int
    backoff: float
    limit: float

    def longest_pause(self, failures: int) -> float:
        """Seconds that the pause after so many failures in a row lasts at most."""
        return min(self.limit, self.backoff * 2.0 ** (min(failures, 60) - 1))

    def retrying(self, stop: Stop, *, failures: Callable[[], int] | None = None) -> Retrying:
        """Make what repeats a conversation while servers are away.

        Parameters
        ----------
        stop
            Ends pauses and further tries.
        failures
            Counts the tries in a row that failed without progress; all tries if None.
        """

        def count(state: RetryCallState) -> int:
            return failures() if failures is not None else state.attempt_number

        def pause(state: RetryCallState) -> float:
            return random.uniform(0.5, 1.0) * self.longest_pause(count(state))  # noqa: S311  # jitter keeps no secret

        return Retrying(
            retry=retry_if_exception_type(NgasAwayError),
            stop=lambda state: count(state) >= self.attempts,
            wait=pause,
            sleep=stop.wait,
            reraise=True,
        )

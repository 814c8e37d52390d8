"""How often and after which pauses a broken conversation with NGAS is begun again, and when to give a file up."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from tenacity import RetryCallState, Retrying, retry_if_exception_type

from services.ngas_fetcher.errors import NgasAwayError
from services.ngas_fetcher.stop import Stop


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
    file_seconds
        Seconds that a file may take, whatever its size …
    slowest
        … and bytes per second that a large one must bring on top of them.
    """

    attempts: int
    backoff: float
    limit: float
    file_seconds: float = 1800.0
    slowest: float = 1e6

    def longest_pause(self, failures: int) -> float:
        """Seconds that the pause after so many failures in a row lasts at most."""
        return min(self.limit, self.backoff * 2.0 ** (min(failures, 60) - 1))

    def seconds_for(self, size: int) -> float:
        """Seconds that a file of so many bytes may take, with all its tries."""
        return self.file_seconds + size / self.slowest

    def retrying(
        self, stop: Stop, *, failures: Callable[[], int] | None = None, until: float | None = None
    ) -> Retrying:
        """Make what repeats a conversation while servers are away.

        Parameters
        ----------
        stop
            Ends pauses and further tries.
        failures
            Counts the tries in a row that failed without progress; all tries if None.
        until
            Time of the monotonic clock after which nothing is tried again.
        """

        def count(state: RetryCallState) -> int:
            return failures() if failures is not None else state.attempt_number

        def is_enough(state: RetryCallState) -> bool:
            return count(state) >= self.attempts or (until is not None and time.monotonic() >= until)

        def pause(state: RetryCallState) -> float:
            return random.uniform(0.5, 1.0) * self.longest_pause(count(state))  # noqa: S311  # jitter keeps no secret

        return Retrying(
            retry=retry_if_exception_type(NgasAwayError), stop=is_enough, wait=pause, sleep=stop.wait, reraise=True
        )

"""Keep a failed connect in mind, so that a database that is away or refuses us is not asked at every message."""

from collections.abc import Callable
from threading import Lock
from time import monotonic
from typing import TypeVar

from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from shared.archive_db.faults import meaning_of
from shared.errors import DependencyAwayError, RestoreError

_T = TypeVar("_T")


class ConnectGate:
    """Lets connects through until one fails, and then none for a while: each is told the same error at once.

    A login that was refused counts longer than an absence: every try with a
    wrong password brings the account nearer to its lock.

    Parameters
    ----------
    pause_away
        Seconds without a try after the database was found away.
    pause_refused
        Seconds without a try after it refused our login or our settings.
    clock
        Tells seconds that never go back.
    """

    def __init__(self, *, pause_away: float, pause_refused: float, clock: Callable[[], float] = monotonic) -> None:
        self._pause_away = pause_away
        self._pause_refused = pause_refused
        self._clock = clock
        self._lock = Lock()
        self._failure: tuple[type[RestoreError], str] | None = None
        self._until = 0.0

    def connect(self, connect: Callable[[], _T]) -> _T:
        """Connect unless that failed a moment ago.

        Raises
        ------
        DependencyAwayError, MisconfiguredError
            The last failure, told again.
        Exception
            Whatever connecting raises.
        """
        self._refuse_while_closed()
        try:
            return connect()
        except Exception as error:  # whatever the driver raises is looked at, remembered and passed on
            self._remember(error)
            raise

    def _refuse_while_closed(self) -> None:
        with self._lock:
            left = self._until - self._clock()
            if self._failure is None or left <= 0:
                return
            kind, text = self._failure
        raise kind(f"{text} (asked again in {left:.0f} s)")

    def _remember(self, error: Exception) -> None:
        # A pool that is used up says nothing of the database.
        if isinstance(error, PoolTimeoutError):
            return
        meaning = error if isinstance(error, RestoreError) else meaning_of(error)
        if meaning is None:
            return
        pause = self._pause_away if isinstance(meaning, DependencyAwayError) else self._pause_refused
        with self._lock:
            self._failure = type(meaning), str(meaning)
            self._until = self._clock() + pause

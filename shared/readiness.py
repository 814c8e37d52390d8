"""Whether a process can take work: told to who asks, and found out where nobody does."""

import time
from collections.abc import Callable
from threading import Event as Flag
from threading import Thread
from typing import Self

import structlog

log = structlog.get_logger(__name__)


class Readiness:
    """Asks all that a process depends on; a context manager, within which it asks by itself when nobody does.

    A pod that is started for one event has no probe that would ask: what is shown of it has to be true all the same.

    Parameters
    ----------
    check
        Whether work could be taken right now; takes as long as what it asks.
    interval
        Seconds after a yes for which nobody has to ask.
    soon
        The same after a no, as of a process that begins.
    lasting
        Seconds for which an answer is believed: who gives none for so long hangs.
    now
        Tells the time, in seconds.
    """

    def __init__(
        self,
        *,
        check: Callable[[], bool],
        interval: float = 15.0,
        soon: float = 2.0,
        lasting: float = 60.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._check = check
        self._now = now
        self._interval, self._soon = interval, soon
        self._lasting = lasting
        self._answer, self._answered = False, float("-inf")
        self._ending = Flag()
        self._thread = Thread(target=self._run, name="readiness", daemon=True)

    def ask(self) -> bool:
        """Ask now; what fails in a way that nobody foresaw is not ready."""
        try:
            answer = self._check()
        except Exception:  # whoever asks gets an answer; the cause is in the log
            log.exception("readiness_check_failed", consequence="the process counts as one that cannot take work")
            answer = False
        self._answer, self._answered = answer, self._now()
        return answer

    def known(self) -> bool:
        """Whether work can be taken, by the last answer; no if that is too old."""
        return self._answer and self._age() < self._lasting

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ending.set()
        self._thread.join(1)  # not for ever: it may hang, and ends with the process

    def _age(self) -> float:
        return self._now() - self._answered

    def _left(self) -> float:
        """Tell for how many seconds the last answer will do; none or fewer if it does not."""
        return (self._interval if self._answer else self._soon) - self._age()

    def _run(self) -> None:
        while not self._ending.is_set():
            if self._left() <= 0:
                self.ask()
            self._ending.wait(max(0.0, self._left()))

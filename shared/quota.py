"""When a process ends by itself: after so many events, or when none came for so long; for pods started per event."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition
from threading import Event as Flag


class Quota:
    """Watches how many events a process handles, and how long none comes.

    Parameters
    ----------
    events
        Events after which the process ends; never if None.
    idle
        Seconds without an event in hand after which it ends; never if None.
    on_last
        Called when the last of these events is taken in hand, before it is worked on: no further one may be begun.
    """

    def __init__(
        self, *, events: int | None = None, idle: float | None = None, on_last: Callable[[], None] | None = None
    ) -> None:
        self._left = events
        self._on_last = on_last
        self._idle = idle
        self._in_hand = 0
        self._changed = Condition()
        self._quiet_since = time.monotonic()

    @contextmanager
    def one(self) -> Iterator[None]:
        """Count an event as in hand, and as handled at the end."""
        with self._changed:
            self._in_hand += 1
            is_last = self._left is not None and self._in_hand >= self._left
        if is_last and self._on_last is not None:
            self._on_last()
        try:
            yield
        finally:
            with self._changed:
                self._in_hand -= 1
                self._left = None if self._left is None else self._left - 1
                self._quiet_since = time.monotonic()
                self._changed.notify_all()

    def wait(self, stopping: Flag) -> str:
        """Wait until the process is told to stop, or has done its part; returns why."""
        while not stopping.is_set():
            with self._changed:
                if self._left is not None and self._left <= 0:
                    return "quota"
                quiet = 0.0 if self._in_hand else time.monotonic() - self._quiet_since
                if self._idle is not None and quiet >= self._idle:
                    return "idle"
                # Signals set the flag without a word to the condition.
                self._changed.wait(0.2)
        return "signal"

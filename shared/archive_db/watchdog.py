"""Calls to a database's driver under a deadline of our own: a database that stays silent hangs a driver for ever.

A listener can accept and say nothing, and a server can stop in the middle of a talk (a frozen
machine, a full disk). Limits that the server keeps are of no use then, and those of the drivers
do not hold in every phase. So a call runs in a thread that can be given up.
"""

from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import BoundedSemaphore, Lock, Thread
from typing import Any

from shared.errors import DependencyAwayError

Call = Callable[[], Any]


class GivenUpError(DependencyAwayError):
    """A call was given up: its connection may never be used again."""


class Watchdog:
    """Runs a driver's calls in threads that can be given up.

    Parameters
    ----------
    given
        What a call is to give, for people: ``connection``.
    timeout
        Seconds to wait for it.
    most_given_up
        Calls that may hang at a time; when so many do, a further one is refused at once, so
        that a silent database costs a bounded number of threads.
    """

    def __init__(self, *, given: str, timeout: float, most_given_up: int = 8) -> None:
        self._given = given
        self._timeout = timeout
        self._slots = BoundedSemaphore(most_given_up)

    def run(self, call: Call, *, undo: Callable[[Any], object] | None = None) -> Any:
        """Make a call, or give it up.

        Parameters
        ----------
        call
            What is called.
        undo
            What is done with an answer that comes too late.

        Raises
        ------
        GivenUpError
            If there is no answer in time.
        Exception
            Whatever the driver raised.
        """
        if not self._slots.acquire(blocking=False):
            raise GivenUpError(f"the archive database does not answer: earlier calls for a {self._given} still hang")
        attempt = _Attempt(call, undo, self._slots.release)
        Thread(target=attempt.run, name=f"archive-db-{self._given}", daemon=True).start()
        late = f"the archive database gave no {self._given} within {self._timeout:g} s"
        return attempt.wait(self._timeout, late)


class _Attempt:
    def __init__(self, call: Call, undo: Callable[[Any], object] | None, ended: Callable[[], None]) -> None:
        self._call = call
        self._undo = undo
        self._ended = ended
        self._answer: SimpleQueue[tuple[Any, Exception | None]] = SimpleQueue()
        self._lock = Lock()
        self._given_up = False

    def run(self) -> None:
        try:
            self._hand_over(self._call(), None)
        except Exception as error:  # whatever the driver raises belongs to the thread that waits
            self._hand_over(None, error)
        finally:
            self._ended()

    def _hand_over(self, answer: Any, error: Exception | None) -> None:
        with self._lock:
            if not self._given_up:
                self._answer.put((answer, error))
                return
        if error is None and self._undo is not None:
            self._undo(answer)

    def wait(self, timeout: float, late: str) -> Any:
        try:
            answer, error = self._answer.get(timeout=timeout)
        except Empty:
            answer, error = self._give_up(late)
        if error is not None:
            raise error
        return answer

    def _give_up(self, late: str) -> tuple[Any, Exception | None]:
        with self._lock:
            self._given_up = True
            if not self._answer.empty():
                return self._answer.get()
        return None, GivenUpError(late)

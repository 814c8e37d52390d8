"""Calls to a database's driver under a deadline of our own: a database that stays silent hangs a driver for ever.

A listener can accept and say nothing, and a server can stop in the middle of a talk (a frozen
machine, a full disk). Limits that the server keeps are of no use then, and those of the drivers
do not hold in every phase. So a call runs in a thread that can be given up.
"""

from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import BoundedSemaphore, Lock, Thread
from typing import Any

import structlog

from shared.errors import DependencyAwayError

log = structlog.get_logger()

Call = Callable[[], Any]


class GivenUpError(DependencyAwayError):
    """A call was given up: its connection may never be used again."""


class NotTriedError(GivenUpError):
    """A call was not even begun, as too many others hang."""


class Watchdog:
    """Runs a driver's calls in threads that can be given up.

    A thread that is done waits for the next call: to begin one for each call would cost as
    much as a quick statement.

    Parameters
    ----------
    most
        Calls that may be under way at a time, hanging ones among them; beyond that one is refused at
        once, so that a silent database costs a bounded number of threads.
    """

    def __init__(self, *, most: int) -> None:
        self._slots = BoundedSemaphore(most)
        self._idle: deque[_Worker] = deque()

    def run(self, call: Call, *, given: str, timeout: float, undo: Callable[[Any], object] | None = None) -> Any:
        """Make a call, or give it up.

        Parameters
        ----------
        call
            What is called.
        given
            What it is to give, for people: ``connection``.
        timeout
            Seconds to wait for it.
        undo
            What is done once a call that was given up ends, in its thread, with its answer or, if it failed,
            with None; its errors are logged alone.

        Raises
        ------
        GivenUpError
            If there is no answer in time.
        NotTriedError
            If the call is not even begun, as too many others hang.
        Exception
            Whatever the driver raised.
        """
        if not self._slots.acquire(blocking=False):
            raise NotTriedError(f"the archive database does not answer: earlier calls still hang, no {given} is tried")
        attempt = _Attempt(call, undo)
        try:
            worker = self._idle.pop()
        except IndexError:
            worker = _Worker(given_up_and_done=self._slots.release)
        worker.take(attempt)
        answered = attempt.wait(timeout)
        if not answered:
            raise GivenUpError(f"the archive database gave no {given} within {timeout:g} s")
        self._idle.append(worker)
        self._slots.release()
        return attempt.result()

    def rest(self) -> None:
        """End the threads that wait for a next call."""
        while self._idle:
            self._idle.pop().end()


class _Worker:
    """A thread that makes one call after the other, and ends after one that was given up."""

    def __init__(self, *, given_up_and_done: Callable[[], None]) -> None:
        self._given_up_and_done = given_up_and_done
        self._attempts: SimpleQueue[_Attempt | None] = SimpleQueue()
        Thread(target=self._work, name="archive-db-call", daemon=True).start()

    def take(self, attempt: "_Attempt") -> None:
        self._attempts.put(attempt)

    def end(self) -> None:
        self._attempts.put(None)

    def _work(self) -> None:
        while attempt := self._attempts.get():
            if not attempt.is_answered():
                self._given_up_and_done()
                return


class _Attempt:
    """A call, and its answer if somebody still waits for it."""

    def __init__(self, call: Call, undo: Callable[[Any], object] | None) -> None:
        self._call = call
        self._undo = undo
        self._answers: SimpleQueue[tuple[Any, Exception | None]] = SimpleQueue()
        self._answer: tuple[Any, Exception | None] = (None, None)
        self._lock = Lock()
        self._given_up = False

    def is_answered(self) -> bool:
        """Make the call and hand its answer over; False if nobody waits any more."""
        try:
            answer, failure = self._call(), None
        except Exception as error:  # whatever the driver raises belongs to the thread that waits
            answer, failure = None, error
        with self._lock:
            if not self._given_up:
                self._answers.put((answer, failure))
                return True
        if self._undo is not None:
            try:
                self._undo(answer)
            except Exception as error:  # nobody waits for it, and the thread has to give its place back
                log.info("late_answer_not_undone", cause=str(error), consequence="the server ends it by itself")
        return False

    def wait(self, timeout: float) -> bool:
        """Wait for the answer; False if it is given up."""
        try:
            self._answer = self._answers.get(timeout=timeout)
        except Empty:
            with self._lock:
                if self._answers.empty():
                    self._given_up = True
                    return False
                self._answer = self._answers.get()
        return True

    def result(self) -> Any:
        """Return the answer, or raise what the driver raised."""
        answer, failure = self._answer
        if failure is not None:
            raise failure
        return answer

"""Open connections under a deadline of our own: a listener that accepts and stays silent hangs the driver for ever."""

from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import BoundedSemaphore, Lock, Thread
from typing import Any

from shared.errors import DependencyAwayError

Connect = Callable[[], Any]


class ConnectWatchdog:
    """Runs a driver's connect in a thread that can be given up.

    Parameters
    ----------
    timeout
        Seconds to wait for a connection.
    most_given_up
        Connects that may hang at a time; when so many do, a further one is refused at once, so
        that a silent database costs a bounded number of threads.
    """

    def __init__(self, *, timeout: float, most_given_up: int = 8) -> None:
        self._timeout = timeout
        self._slots = BoundedSemaphore(most_given_up)

    def connect(self, connect: Connect) -> Any:
        """Connect, or give up.

        Raises
        ------
        DependencyAwayError
            If there is no connection in time.
        Exception
            Whatever the driver raised.
        """
        if not self._slots.acquire(blocking=False):
            raise DependencyAwayError("the archive database does not answer: earlier connects still hang")
        attempt = _Attempt(connect, self._slots.release)
        Thread(target=attempt.run, name="archive-db-connect", daemon=True).start()
        return attempt.wait(self._timeout)


class _Attempt:
    def __init__(self, connect: Connect, ended: Callable[[], None]) -> None:
        self._connect = connect
        self._ended = ended
        self._answer: SimpleQueue[tuple[Any, Exception | None]] = SimpleQueue()
        self._lock = Lock()
        self._given_up = False

    def run(self) -> None:
        try:
            self._hand_over(self._connect(), None)
        except Exception as error:  # whatever the driver raises belongs to the thread that waits
            self._hand_over(None, error)
        finally:
            self._ended()

    def _hand_over(self, connection: Any, error: Exception | None) -> None:
        with self._lock:
            if not self._given_up:
                self._answer.put((connection, error))
                return
        if connection is not None:
            connection.close()

    def wait(self, timeout: float) -> Any:
        try:
            connection, error = self._answer.get(timeout=timeout)
        except Empty:
            connection, error = self._give_up(timeout)
        if error is not None:
            raise error
        return connection

    def _give_up(self, timeout: float) -> tuple[Any, Exception | None]:
        with self._lock:
            self._given_up = True
            if not self._answer.empty():
                return self._answer.get()
        return None, DependencyAwayError(f"the archive database gave no connection within {timeout:g} s")

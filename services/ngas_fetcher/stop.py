"""The word to stop: given once, heard by everybody who works on the same thing, also in the middle of a wait."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Lock

from services.ngas_fetcher.errors import FetchAbandonedError


class Stop:
    """Told to whoever fetches: stop, nobody needs it any more. Pauses end at once too."""

    def __init__(self) -> None:
        self._told = Event()
        self._lock = Lock()
        self._callbacks: list[Callable[[], None]] = []

    def tell(self) -> None:
        """Tell everybody to stop."""
        with self._lock:
            self._told.set()
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()

    @property
    def is_told(self) -> bool:
        """Whether work should stop."""
        return self._told.is_set()

    @contextmanager
    def calling(self, callback: Callable[[], None]) -> Iterator[None]:
        """Call this in the teller's thread if the word comes before the block ends; at once if it has come."""
        self.will_call(callback)
        try:
            yield
        finally:
            self.forget(callback)

    def will_call(self, callback: Callable[[], None]) -> None:
        """Call this in the teller's thread when the word comes, until `forget`; at once if it has come."""
        with self._lock:
            told = self._told.is_set()
            if not told:
                self._callbacks.append(callback)
        if told:
            callback()

    def forget(self, callback: Callable[[], None]) -> None:
        """Call this no more."""
        with self._lock:
            if callback in self._callbacks:
                self._callbacks.remove(callback)

    def check(self) -> None:
        """Go on, or raise `FetchAbandonedError`."""
        if self._told.is_set():
            raise FetchAbandonedError("The fetch was told to stop; it goes on where it was when it is asked for again")

    def wait(self, seconds: float) -> None:
        """Pause, but not beyond the word to stop."""
        self._told.wait(seconds)
        self.check()

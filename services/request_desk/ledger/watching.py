"""Tells those who wait that a request has changed: a thousand may, in one process."""

import asyncio
from collections.abc import Callable, Sequence
from threading import Event as Flag
from threading import Lock, Thread
from uuid import UUID

import structlog

from services.request_desk.ledger.base import Watcher
from shared.errors import RestoreError

log = structlog.get_logger(__name__)


class Watchers:
    """Holds who watches what; while somebody does, it looks for what other processes have changed.

    Parameters
    ----------
    changes
        Lists the changes after one, by number.
    last
        Returns the number of the newest change.
    interval
        Seconds between two looks.
    """

    def __init__(
        self, *, changes: Callable[[int], Sequence[tuple[int, UUID]]], last: Callable[[], int], interval: float = 0.3
    ) -> None:
        self._changes = changes
        self._last = last
        self._interval = interval
        self._lock = Lock()
        self._watchers: dict[UUID | None, list[Watcher]] = {}
        self._seen = 0
        self._ending = Flag()
        self._thread: Thread | None = None

    def add(self, watcher: Watcher, *, request_id: UUID | None) -> Callable[[], None]:
        """Call a watcher at each change; what is returned ends that."""
        # Read before the watcher is there: what changes in between is told, perhaps twice.
        last = self._last() if not self._watchers else None
        with self._lock:
            if last is not None and not self._watchers:
                self._seen = last
            self._watchers.setdefault(request_id, []).append(watcher)
            if self._thread is None and not self._ending.is_set():
                self._thread = Thread(target=self._follow, name="ledger-watch", daemon=True)
                self._thread.start()
        return lambda: self._remove(watcher, request_id)

    def _remove(self, watcher: Watcher, request_id: UUID | None) -> None:
        with self._lock:
            theirs = self._watchers.get(request_id, [])
            if watcher in theirs:
                theirs.remove(watcher)
            if not theirs:
                self._watchers.pop(request_id, None)

    def tell(self, request_id: UUID, change: int) -> None:
        """Call those who watch a request, and those who watch all."""
        with self._lock:
            concerned = [*self._watchers.get(request_id, ()), *self._watchers.get(None, ())]
        for watcher in concerned:
            try:
                watcher(request_id, change)
            except Exception:  # one watcher's error must not keep the news from the others
                log.exception("ledger_watcher_failed", request_id=str(request_id))

    def close(self) -> None:
        """End the looking."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join(5)

    def _follow(self) -> None:
        while not self._ending.wait(self._interval):
            if not self._watchers:
                continue
            try:
                self._tell_of_others()
            except RestoreError as error:
                log.warning("ledger_cannot_be_followed", reason=str(error))

    def _tell_of_others(self) -> None:
        with self._lock:
            seen = self._seen
        found = self._changes(seen)
        if not found:
            return
        with self._lock:
            self._seen = max(self._seen, found[-1][0])
        for change, request_id in found:
            self.tell(request_id, change)


async def changed(watchers: Watchers, request_id: UUID, *, look: Callable[[], bool], timeout: float) -> None:
    """Wait until ``look`` says that something has changed, or for so many seconds; it is asked after each change.

    The first look comes after the watching has begun, so that no change falls in between.
    """
    loop, news = asyncio.get_running_loop(), asyncio.Event()

    def wake(_request_id: UUID, _change: int) -> None:
        loop.call_soon_threadsafe(news.set)

    end = await asyncio.to_thread(watchers.add, wake, request_id=request_id)
    try:
        async with asyncio.timeout(timeout):
            while not look():
                await news.wait()
                news.clear()
    except TimeoutError:
        return
    finally:
        end()

"""Tells those who wait that a request has changed: a thousand may, in one process."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from threading import Event as Flag
from threading import Lock, Thread
from uuid import UUID

import structlog

from services.request_desk.ledger.base import Watcher
from services.request_desk.ledger.records import RequestRecord
from shared.errors import RestoreError

log = structlog.get_logger(__name__)


class Watchers:
    """Holds who watches what; while somebody does, it looks for what other processes have changed.

    Parameters
    ----------
    changes
        Lists the changes that others have made after one, by number.
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

    def is_watched(self, request_id: UUID) -> bool:
        """Whether somebody watches this request, or all."""
        with self._lock:
            return request_id in self._watchers or None in self._watchers

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
        last = self._last()
        if last == seen:
            return
        for change, request_id in self._changes(seen):
            self.tell(request_id, change)
        with self._lock:
            self._seen = max(self._seen, last)


class Recent:
    """Keeps the requests that changed last, so that all who wait for one read it once.

    Parameters
    ----------
    most
        Requests that are kept.
    """

    def __init__(self, *, most: int = 500) -> None:
        self._most = most
        self._lock = Lock()
        self._records: OrderedDict[UUID, RequestRecord] = OrderedDict()

    def put(self, record: RequestRecord | None) -> None:
        """Keep a request, unless a newer state of it is known."""
        if record is None:
            return
        with self._lock:
            before = self._records.get(record.id)
            if before is None or before.change < record.change:
                self._records[record.id] = record
                self._records.move_to_end(record.id)
            while len(self._records) > self._most:
                self._records.popitem(last=False)

    def get(self, request_id: UUID, at_least: int) -> RequestRecord | None:
        """Return a request as it was at a change or later, if it is kept."""
        with self._lock:
            record = self._records.get(request_id)
        return record if record is not None and 0 < at_least <= record.change else None

    def change(self, request_id: UUID) -> int:
        """Return the number of the change that is known of a request; 0 of one that is not kept."""
        with self._lock:
            record = self._records.get(request_id)
        return 0 if record is None else record.change


async def changed(
    watchers: Watchers, request_id: UUID, *, look: Callable[[int], Awaitable[bool]], timeout: float
) -> None:
    """Wait until ``look`` says that something has changed, or for so many seconds.

    It is asked once the watching has begun, so that no change falls in between, with 0; and
    after each change, with its number. However long it takes, it is not given up: who waits
    gets what there is.
    """
    loop, news, newest = asyncio.get_running_loop(), asyncio.Event(), [0]

    def wake(_request_id: UUID, change: int) -> None:
        newest[0] = max(newest[0], change)
        loop.call_soon_threadsafe(news.set)

    end = await asyncio.to_thread(watchers.add, wake, request_id=request_id)
    try:
        until = loop.time() + timeout
        while not await look(newest[0]):
            async with asyncio.timeout_at(until):
                await news.wait()
            news.clear()
    except TimeoutError:
        return
    finally:
        end()

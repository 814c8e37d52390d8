"""Tells whoever watches a request that it has changed: one look at the ledger for all who watch it.

The ledger calls from its threads; all else here happens in the event loop.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from uuid import UUID

import structlog

from services.request_desk.ledger.base import Ledger
from services.request_desk.ledger.records import RequestRecord
from shared.errors import RestoreError

log = structlog.get_logger()

Read = Callable[[UUID], Awaitable[RequestRecord | None]]


@dataclass
class _Watched:
    """A request that somebody watches."""

    watchers: int = 0
    told: int = -1
    record: RequestRecord | None = None
    reading: asyncio.Task[None] | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class Live:
    """Waits for changes of requests, without a thread for each who waits.

    Parameters
    ----------
    ledger
        Tells which request has changed.
    read
        Reads a request without holding up the event loop.
    """

    def __init__(self, *, ledger: Ledger, read: Read) -> None:
        self._ledger = ledger
        self._read = read
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end: Callable[[], None] | None = None
        self._watched: dict[UUID, _Watched] = {}
        self._anything = asyncio.Event()
        self._last = 0

    async def wait(self, request_id: UUID, *, since: int, timeout: float) -> RequestRecord | None:
        """Wait until a request is further than a change, or for so many seconds; return it if it is further."""
        await self._begin()
        watched = self._watched.setdefault(request_id, _Watched())
        watched.watchers += 1
        try:
            if watched.record is None or watched.record.change <= since:
                # Somebody may have said it before the watching began.
                self._look(request_id, watched)
            async with asyncio.timeout(timeout):
                while watched.record is None or watched.record.change <= since:
                    await watched.changed.wait()
        except TimeoutError:
            return None
        finally:
            watched.watchers -= 1
            if not watched.watchers:
                self._watched.pop(request_id, None)
        return watched.record

    async def wait_for_any(self, *, since: int, timeout: float) -> int:
        """Wait until any request is further than a change, or for so many seconds; return the newest change."""
        await self._begin()
        try:
            async with asyncio.timeout(timeout):
                while self._last <= since:
                    await self._anything.wait()
        except TimeoutError:
            pass
        return self._last

    def close(self) -> None:
        """Watch no more."""
        if self._end is not None:
            self._end()

    async def _begin(self) -> None:
        """Watch the ledger from the first who waits on."""
        if self._loop is not None:
            return
        self._loop = asyncio.get_running_loop()
        self._end = await asyncio.to_thread(self._ledger.watch, self._told)
        self._last = max(self._last, await asyncio.to_thread(self._ledger.last_change))

    def _told(self, request_id: UUID, change: int) -> None:
        assert self._loop is not None, "the ledger is watched after the loop is known"
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._take, request_id, change)

    def _take(self, request_id: UUID, change: int) -> None:
        self._last = max(self._last, change)
        self._anything, anything = asyncio.Event(), self._anything
        anything.set()
        if (watched := self._watched.get(request_id)) is not None:
            watched.told = max(watched.told, change)
            self._look(request_id, watched)

    def _look(self, request_id: UUID, watched: _Watched) -> None:
        """Read a request unless that is being done; who comes while it is gets the next reading."""
        if watched.reading is None or watched.reading.done():
            watched.reading = asyncio.create_task(self._refresh(request_id, watched))

    async def _refresh(self, request_id: UUID, watched: _Watched) -> None:
        while True:
            try:
                record = await self._read(request_id)
            except RestoreError as error:
                log.warning("live_view_cannot_read_ledger", code=error.code, detail=str(error))
                return
            if record is not None and (watched.record is None or record.change > watched.record.change):
                watched.record = record
                watched.changed, changed = asyncio.Event(), watched.changed
                changed.set()
            if record is None or record.change >= watched.told:
                return

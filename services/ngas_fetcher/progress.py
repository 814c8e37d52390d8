"""How far the fetch of an execution block is, said at a bearable rate."""

import math
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Protocol

import structlog

from contracts.envelope import Event
from contracts.identifiers import ExecBlockUid
from contracts.messages import FetchProgressed, StructureResolved
from shared.bus import Delivery
from shared.errors import DependencyAwayError

log = structlog.get_logger()
_LONGEST = 366 * 86400.0


class Sized(Protocol):
    """A block of which is known how much there is to fetch."""

    @property
    def eb_uid(self) -> ExecBlockUid:
        """The execution block."""

    @property
    def files_total(self) -> int:
        """Files to fetch."""

    @property
    def size(self) -> int:
        """Bytes to fetch."""


@dataclass(frozen=True)
class Snapshot:
    """Files and bytes that are there."""

    files: int
    bytes: int


class Progress:
    """Counts what several threads fetch."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._positions: dict[str, int] = {}
        self._done: set[str] = set()
        self._sum = 0

    def position(self, path: str) -> Callable[[int], None]:
        """Return what a file's transfer tells its position."""

        def tell(position: int) -> None:
            with self._lock:
                self._place(path, position)

        return tell

    def done(self, path: str, size: int) -> None:
        """Count a file that is in the store."""
        with self._lock:
            self._place(path, size)
            self._done.add(path)

    def snapshot(self) -> Snapshot:
        """Return what is there now."""
        with self._lock:
            return Snapshot(len(self._done), self._sum)

    def _place(self, path: str, position: int) -> None:
        self._sum += position - self._positions.get(path, 0)
        self._positions[path] = position


class Rate:
    """Bytes per second over the last seconds.

    Parameters
    ----------
    window
        Seconds that are looked back.
    """

    def __init__(self, *, window: float = 10.0) -> None:
        self._window = window
        self._seen: deque[tuple[float, int]] = deque()

    def see(self, now: float, position: int) -> float | None:
        """Take in how many bytes are there, and tell the rate; None while there is nothing to compare with."""
        if self._seen and position < self._seen[-1][1]:
            self._seen.clear()  # something was begun again
        self._seen.append((now, position))
        while len(self._seen) > 2 and now - self._seen[1][0] >= self._window:
            self._seen.popleft()
        began, before = self._seen[0]
        return (position - before) / (now - began) if now > began else None


class Underway(Protocol):
    """A block that may have something to tell."""

    @property
    def holding(self) -> Sized | None:
        """What comes, once something does."""

    @property
    def progress(self) -> Progress:
        """Counts what comes."""


class ProgressTeller:
    """Publishes the progress of a request's blocks, not more often than every so many seconds for all of them.

    Parameters
    ----------
    event
        The event that is handled.
    delivery
        Publishes.
    source
        Who says it.
    interval
        Seconds between two words; the last word on a block is said in any case, but not before its time.
    pause
        Waits so many seconds for that.
    clock
        Seconds that only grow.
    """

    def __init__(
        self,
        *,
        event: Event,
        delivery: Delivery,
        source: str,
        interval: float,
        pause: Callable[[float], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._event = event
        self._delivery = delivery
        self._source = source
        self._interval = interval
        self._pause = pause
        self._clock = clock
        self._told_at = -interval
        self._told: dict[ExecBlockUid, tuple[float, Snapshot]] = {}
        self._rates: dict[ExecBlockUid, Rate] = {}

    def tell_one_of(self, blocks: Iterable[Underway]) -> None:
        """Say how far one of them is, if it is time: of those with news that of which nothing was said for longest."""
        coming = [(block.holding, block.progress) for block in blocks if block.holding is not None]
        for holding, progress in sorted(coming, key=lambda one: self._last_told(one[0].eb_uid)[0]):
            self.tell(holding, progress.snapshot())

    def tell_last(self, block: Underway) -> None:
        """Say the last word on a block of which anything came."""
        if block.holding is not None:
            self.tell(block.holding, block.progress.snapshot(), last=True)

    def tell(self, holding: Sized, snapshot: Snapshot, *, last: bool = False) -> None:
        """Say how far a block is, if it is time or the last word, and there is news."""
        eb_uid = holding.eb_uid
        early = self._told_at + self._interval - self._clock()
        if snapshot == self._last_told(eb_uid)[1] or (early > 0 and not last):
            return
        if early > 0:
            self._pause(early)
        now = self._clock()
        self._told[eb_uid], self._told_at = (now, snapshot), now
        assert isinstance(self._event.data, StructureResolved)
        request = self._event.data.request
        # Who exports an ASDM knows its size only when it is there.
        files_total, bytes_total = max(holding.files_total, snapshot.files), max(holding.size, snapshot.bytes)
        rate = self._rates.setdefault(eb_uid, Rate()).see(now, snapshot.bytes)
        message = FetchProgressed(
            request_id=request.request_id,
            mous_uid=request.mous_uid,
            eb_uid=eb_uid,
            files_done=snapshot.files,
            files_total=files_total,
            bytes_done=snapshot.bytes,
            bytes_total=bytes_total,
            rate=rate,
            expected_end=expected_end(bytes_total - snapshot.bytes, rate),
        )
        key = f"{eb_uid}/{snapshot.files}/{snapshot.bytes}"
        try:
            self._delivery.publish([self._event.derive(message, source=self._source, key=key)])
        except DependencyAwayError as error:
            # Nobody's work depends on a word of progress; what is staged is published with confirms.
            log.warning("progress_unsaid", topic=message.topic, cause=str(error))

    def _last_told(self, eb_uid: ExecBlockUid) -> tuple[float, Snapshot | None]:
        return self._told.get(eb_uid, (-math.inf, None))


def expected_end(bytes_left: int, rate: float | None) -> datetime | None:
    """Tell when so many bytes are there at this rate, UTC; None if nobody can know."""
    if not rate or bytes_left / rate > _LONGEST:
        return None
    return datetime.now(UTC) + timedelta(seconds=bytes_left / rate)

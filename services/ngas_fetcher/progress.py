"""How far the fetch of an execution block is, said at a bearable rate."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from contracts.envelope import Event
from contracts.messages import FetchProgressed, StructureResolved
from services.ngas_fetcher.location import AsdmLocation
from shared.bus import Delivery


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

    def position(self, path: str) -> Callable[[int], None]:
        """Return what a file's transfer tells its position."""

        def tell(position: int) -> None:
            with self._lock:
                self._positions[path] = position

        return tell

    def done(self, path: str, size: int) -> None:
        """Count a file that is in the store."""
        with self._lock:
            self._positions[path] = size
            self._done.add(path)

    def snapshot(self) -> Snapshot:
        """Return what is there now."""
        with self._lock:
            return Snapshot(len(self._done), sum(self._positions.values()))


class ProgressTeller:
    """Publishes the progress of a request's blocks, not more often than every so many seconds.

    Parameters
    ----------
    event
        The event that is handled.
    delivery
        Publishes.
    source
        Who says it.
    interval
        Seconds between two words; the last word on a block is said in any case.
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
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._event = event
        self._delivery = delivery
        self._source = source
        self._interval = interval
        self._clock = clock
        self._told_at = -interval
        self._told: tuple[str, Snapshot] | None = None

    def tell(self, location: AsdmLocation, snapshot: Snapshot, *, last: bool = False) -> None:
        """Say how far a block is, if it is time or the last word, and there is news."""
        news = (location.eb_uid, snapshot)
        now = self._clock()
        if news == self._told or (now - self._told_at < self._interval and not last):
            return
        self._told, self._told_at = news, now
        assert isinstance(self._event.data, StructureResolved)
        request = self._event.data.request
        message = FetchProgressed(
            request_id=request.request_id,
            mous_uid=request.mous_uid,
            eb_uid=location.eb_uid,
            files_done=snapshot.files,
            files_total=len(location.files),
            bytes_done=snapshot.bytes,
            bytes_total=location.size,
        )
        key = f"{location.eb_uid}/{snapshot.files}/{snapshot.bytes}"
        self._delivery.publish([self._event.derive(message, source=self._source, key=key)])

"""A queue in memory: what is ready, what waits for its time, what was given up."""

import heapq
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import count
from threading import Condition
from threading import Event as Flag
from time import monotonic

from contracts.envelope import Event
from shared.bus.base import DeadEvent
from shared.bus.handling import NEVER_FAILED, Past


@dataclass(frozen=True, slots=True)
class Entry:
    """An event in a queue; ``event`` is what the bytes say, if it is known already."""

    body: bytes
    event: Event | None = None
    attempt: int = 1
    past: Past = NEVER_FAILED


@dataclass(eq=False)
class MemoryQueue:
    """A queue: what is ready, what waits for its time, what was given up."""

    name: str
    topics: set[str] = field(default_factory=set)
    ready: deque[Entry] = field(default_factory=deque)
    waiting: list[tuple[float, int, Entry]] = field(default_factory=list)
    dead: list[DeadEvent] = field(default_factory=list)
    consumers: int = 0
    changed: Condition = field(default_factory=Condition)
    serial: "count[int]" = field(default_factory=count)

    def put(self, bodies: Sequence[bytes]) -> None:
        """Add messages as they came, unread."""
        self.put_entries([Entry(body) for body in bodies])

    def put_entries(self, entries: Sequence[Entry]) -> None:
        """Add events at the end."""
        if entries:
            with self.changed:
                self.ready.extend(entries)
                self.changed.notify(len(entries))

    def put_back(self, entries: Sequence[Entry]) -> None:
        """Put events where they were taken from."""
        with self.changed:
            self.ready.extendleft(reversed(entries))
            self.changed.notify_all()

    def put_off(self, entry: Entry, delay: float) -> None:
        """Let an event wait for so many seconds."""
        with self.changed:
            heapq.heappush(self.waiting, (monotonic() + delay, next(self.serial), entry))
            self.changed.notify()

    def take(self, stopping: Flag) -> Entry | None:
        """Wait for an event; None when ``stopping`` is set."""
        with self.changed:
            while not stopping.is_set():
                self._wake()
                if self.ready:
                    return self.ready.popleft()
                self.changed.wait(self.waiting[0][0] - monotonic() if self.waiting else None)
        return None

    def bury(self, dead: DeadEvent) -> None:
        """Keep what was given up."""
        with self.changed:
            self.dead.append(dead)

    def dig_out(self, keys: Collection[str]) -> list[DeadEvent]:
        """Take out dead letters with these keys."""
        with self.changed:
            found = [each for each in self.dead if each.key in keys]
            self.dead = [each for each in self.dead if each.key not in keys]
            return found

    def _wake(self) -> None:
        while self.waiting and self.waiting[0][0] <= monotonic():
            self.ready.append(heapq.heappop(self.waiting)[2])

    def interrupt(self) -> None:
        """Let those who wait look whether they are to stop."""
        with self.changed:
            self.changed.notify_all()

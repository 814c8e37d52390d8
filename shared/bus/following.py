"""Gives every event to a follower, none left out: from the journal in RabbitMQ, or from the bus in memory.

The follower says where it is; it keeps that together with what it made of the events, so
nothing is lost or counted twice when either side dies. What the journal no longer keeps
is told, not passed over. The journal holds nobody up: with no follower nothing piles up.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Event as Flag
from threading import Thread
from time import monotonic
from typing import Protocol

import structlog

log = structlog.get_logger(__name__)
_BATCH = 200
_PAUSE = 1.0


@dataclass(frozen=True)
class Place:
    """How far the journal was read.

    Attributes
    ----------
    offset
        The place of the last event that was taken.
    digest
        SHA-256 of its bytes, as hexadecimal digits: another journal has another event there. None if that is not known.
    """

    offset: int
    digest: str | None = None


@dataclass(frozen=True)
class Said:
    """An event as it was published.

    Attributes
    ----------
    body
        Its bytes, which may be no event that this release can read.
    offset
        Its place in the journal; None where there is no journal.
    """

    body: bytes
    offset: int | None = None

    @property
    def place(self) -> Place | None:
        """How far who has taken it has read; None where there is no journal."""
        return None if self.offset is None else Place(self.offset, hashlib.sha256(self.body).hexdigest())

    def contradicts(self, place: Place) -> bool:
        """Whether it lies at a place at which another event was read."""
        return self.offset == place.offset and place.digest is not None and self.place != place


class Follower(Protocol):
    """Wants every event, in the order in which they were published."""

    def position(self) -> Place | None:
        """Return the place in the journal of the last event that was taken; None to begin at the first one kept."""

    def take(self, said: Sequence[Said]) -> None:
        """Take events and remember the place of the last; an error means that none of them was taken.

        They may come twice. A transient error is tried again; any other one, too, and is logged.
        """

    def begin_anew(self) -> None:
        """Forget the position: the journal was deleted and made anew, and begins with 0 again."""

    def miss(self, first: int, last: int) -> None:
        """Take note that the journal no longer keeps the events between these places."""


class MemoryFollowing:
    """Gives a follower what is published in this process.

    Parameters
    ----------
    follower
        Takes the events.
    """

    def __init__(self, *, follower: Follower) -> None:
        self._follower = follower
        self._said: SimpleQueue[bytes | Flag | None] = SimpleQueue()
        self._stopping = Flag()
        self._thread = Thread(target=self._run, name="bus-following", daemon=True)
        self._thread.start()

    def offer(self, bodies: Sequence[bytes]) -> None:
        """Take what was published."""
        for body in bodies:
            self._said.put(body)

    def drain(self, timeout: float) -> None:
        """Wait until the follower has taken all that was offered."""
        if self._thread.is_alive():
            reached = Flag()
            self._said.put(reached)
            reached.wait(timeout)

    def close(self) -> None:
        """End the thread after the follower has taken what it can take now."""
        self._said.put(None)
        self._thread.join(2)
        self._stopping.set()
        self._thread.join(8)

    def _run(self) -> None:
        while (said := self._said.get()) is not None:
            if isinstance(said, Flag):
                said.set()
                continue
            batch = [Said(body=said)]
            while len(batch) < _BATCH and not self._said.empty():
                following = self._said.get()
                if not isinstance(following, bytes):
                    self._give(batch)
                    batch = []
                    if following is None:
                        return
                    following.set()
                    break
                batch.append(Said(body=following))
            self._give(batch)

    def _give(self, batch: Sequence[Said]) -> None:
        since = monotonic()
        while batch and not self._stopping.is_set():
            try:
                self._follower.take(batch)
            except Exception as error:  # whatever a follower raises, it gets the same events again
                log.warning("follower_failed", reason=repr(error), consequence="the events are given to it again")
                self._stopping.wait(min(_PAUSE, 0.05 + monotonic() - since))
            else:
                return

"""What a lease says of itself, and when others may take it for dead: decisions without a store."""

import time
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Protocol, Self
from uuid import uuid4

from pydantic import BaseModel, ConfigDict

from shared.errors import MisconfiguredError

MOST_WATCHED = 10_000
"""Records remembered at once; the longest watched are forgotten first, and then have to be watched anew."""


class Clock(Protocol):
    """Both times of a host."""

    def now(self) -> datetime:
        """The time of day, UTC; hosts may disagree on it."""

    def monotonic(self) -> float:
        """Seconds since whenever; never set back."""


class SystemClock:
    """The clocks of the host."""

    def now(self) -> datetime:
        """The time of day, UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds since the host's start."""
        return time.monotonic()


class LeaseRecord(BaseModel):
    """A lease as it lies in the store."""

    model_config = ConfigDict(frozen=True)

    key: str
    """What is claimed."""
    owner: str
    """Who claims it, in words for people."""
    claim: str
    """Random id of this claim: an owner that claims again is another holder."""
    token: int
    """Fencing token, greater than that of every earlier claim of the key."""
    beat: int = 0
    """How often it was renewed."""
    renewed: datetime
    """The holder's time of day when it last renewed."""
    ttl: timedelta
    """How long others wait for the next sign of life."""
    released: bool = False
    """Whether the holder has let go."""

    @classmethod
    def claimed(cls, key: str, *, owner: str, ttl: timedelta, now: datetime, after: Self | None) -> Self:
        """Make the record of a new claim; ``after`` is the one it takes the place of."""
        token = max(int(now.timestamp() * 1000), after.token + 1 if after else 1)
        return cls(key=key, owner=owner, claim=uuid4().hex, token=token, renewed=now, ttl=ttl)

    @classmethod
    def decoded(cls, data: bytes, *, where: str) -> Self:
        """Read a record.

        Raises
        ------
        MisconfiguredError
            If somebody put something else there.
        """
        try:
            return cls.model_validate_json(data)
        except ValueError as error:
            raise MisconfiguredError(f"{where} is no lease; remove this object") from error

    @property
    def until(self) -> datetime:
        """Its stated end, by the holder's clock."""
        return self.renewed + self.ttl

    def encoded(self) -> bytes:
        """Write it as JSON."""
        return self.model_dump_json().encode()

    def beaten(self, now: datetime) -> Self:
        """Make the record after another sign of life."""
        return self.model_copy(update={"beat": self.beat + 1, "renewed": now})

    def ended(self, now: datetime) -> Self:
        """Make the record that its holder leaves behind."""
        return self.beaten(now).model_copy(update={"released": True})

    def is_over(self, now: datetime, allowed_skew: timedelta) -> bool:
        """Whether it was released, or its stated end is past by more than clocks may differ."""
        return self.released or now > self.until + allowed_skew


class Watch:
    """Since when this process has seen each record unchanged, by its own monotonic clock."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._lock = Lock()
        self._seen: dict[str, tuple[tuple[str, int], float]] = {}

    def is_dead(self, record: LeaseRecord) -> bool:
        """Take note of a record, and tell whether it has been seen unchanged for longer than its ``ttl``."""
        state, now = (record.claim, record.beat), self._clock.monotonic()
        with self._lock:
            known, since = self._seen.get(record.key, (None, now))
            if known != state:
                self._seen.pop(record.key, None)
                self._seen[record.key] = (state, now)
                while len(self._seen) > MOST_WATCHED:
                    del self._seen[next(iter(self._seen))]
                return False
        return now - since > record.ttl.total_seconds()

    def forget(self, key: str) -> None:
        """Stop watching: this process holds it now."""
        with self._lock:
            self._seen.pop(key, None)

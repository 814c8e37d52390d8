"""What a service is to the runtime that runs it."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Protocol, runtime_checkable

from prometheus_client import CollectorRegistry

from contracts.envelope import Event
from shared.bus import Bus, Subscription


class Service(Protocol):
    """One of the services: what it listens to, and whether it can work.

    A service is built from its settings and the object store; the runtime gives
    it the bus by subscribing what it names. It holds its adapters and no state
    that a restart would lose.
    """

    @property
    def name(self) -> str:
        """Name of the service and of its queue, e.g. ``casa-runner``."""

    def subscriptions(self) -> Sequence[Subscription]:
        """Say what the service listens to; one queue, the service's own name."""

    def is_ready(self) -> bool:
        """Whether the service's own dependencies answer (bus and store are checked by the runtime)."""

    def close(self) -> None:
        """Release adapters; called after the bus was drained."""


@runtime_checkable
class Listener(Protocol):
    """A service that also wants word of cancelled requests, in each of its processes."""

    def hear(self, event: Event) -> None:
        """Take note of a ``request.cancelled``; it is neither kept nor acknowledged."""


@runtime_checkable
class Speaker(Protocol):
    """A service that speaks of its own accord, not only in answer to an event: of a trigger file that it found."""

    def begin(self, publish: Callable[[Sequence[Event]], None]) -> None:
        """Begin to speak, from a thread of its own."""

    def rest(self) -> None:
        """Say no more; called before the bus is drained."""


@runtime_checkable
class Overseer(Protocol):
    """A service by which people look after the bus itself: its queues and dead letters."""

    def oversee(self, bus: Bus) -> None:
        """Take the bus; called before the service begins to speak."""


@runtime_checkable
class Resumer(Protocol):
    """A service that knows what was unfinished when a bus in memory ended."""

    def take_up_again(self, publish: Callable[[Sequence[Event]], None]) -> int:
        """Say what nothing followed once more; tell of how many requests."""


@runtime_checkable
class Tidier(Protocol):
    """A service that leaves things of its own in the store when it is killed."""

    def tidy(self, older_than: timedelta) -> int:
        """Remove what nobody has been at for so long, and count the objects."""


@runtime_checkable
class Measured(Protocol):
    """A service with metrics of its own, beside those that the runtime keeps of every service."""

    @property
    def registry(self) -> CollectorRegistry:
        """Where its metrics are declared."""


def source_of(service: str) -> str:
    """Return the CloudEvents source of a service."""
    return f"/alma-restore/{service}"

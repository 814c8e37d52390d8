"""What every bus promises, whatever carries the events.

* An event that ``publish`` returned for is kept by every queue that is bound to its topic.
* A delivery is acknowledged after the handler returned and what it returned was
  published and confirmed; so an event is handled at least once.
* A handler that raises an error is asked again later or its event becomes a dead
  letter, as `shared.bus.retry.decide` says; no event is dropped.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Event as Flag
from typing import Protocol
from uuid import UUID

from contracts.envelope import Event


class Delivery(Protocol):
    """One delivery of an event to a handler."""

    @property
    def attempt(self) -> int:
        """How often this event has been given to this queue's handlers, counted from 1."""

    @property
    def lost(self) -> Flag:
        """Set when the broker took the delivery back: somebody else will get it, so stop."""

    def publish(self, events: Sequence[Event]) -> None:
        """Publish while the handler still works; returns when the bus has confirmed all.

        Raises
        ------
        DependencyAwayError
            If the bus did not confirm in time.
        """


Handler = Callable[[Event, Delivery], Sequence[Event]]
"""Handles an event and returns what is to be said about it. Runs in a worker thread."""


@dataclass(frozen=True, kw_only=True)
class Subscription:
    """What a service listens to.

    Attributes
    ----------
    queue
        Name of the service's queue, the same for all its replicas: ``casa-runner``.
    topics
        Topics that the queue collects, e.g. ``restore.ordered``.
    handler
        What handles an event.
    concurrency
        Events that one process handles at a time; also the prefetch.
    """

    queue: str
    topics: tuple[str, ...]
    handler: Handler
    concurrency: int = 1


class Bus(Protocol):
    """Carries events between services."""

    def publish(self, events: Sequence[Event]) -> None:
        """Publish events in order; returns when the bus has confirmed all of them.

        Raises
        ------
        DependencyAwayError
            If the bus cannot be reached or did not confirm in time; say it again with the same ids.
        UnroutableError
            If no queue takes one of the events: the topology is not declared.
        """

    def subscribe(self, subscription: Subscription) -> None:
        """Begin to hand events of a queue to a handler, in threads of the bus."""

    def listen(self, listener: Callable[[Event], None], *, request_id: UUID | None = None) -> Callable[[], None]:
        """Show every event from now on (or those of one request) to an onlooker, unacknowledged and unkept.

        Returns
        -------
        callable
            Ends the listening.
        """

    def is_ready(self) -> bool:
        """Whether events can be published and consumed right now."""

    def drain(self, timeout: float) -> bool:
        """Stop taking events and let handlers that are at work finish.

        Parameters
        ----------
        timeout
            Seconds to wait for them; what is unfinished then stays unacknowledged and comes again.

        Returns
        -------
        bool
            Whether every handler finished.
        """

    def close(self) -> None:
        """Release connections and threads. Call `drain` first to end in peace."""

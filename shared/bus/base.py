"""What every bus promises, whatever carries the events.

* An event that ``publish`` returned for is kept by every declared queue that takes its
  topic. An event that no queue takes is for onlookers only.
* A delivery is acknowledged after the handler returned and what it returned was
  published and confirmed; so an event is handled at least once.
* A handler that raises an error is asked again later or its event becomes a dead
  letter, as `shared.bus.retry.decide` says; no event is dropped.
* What a handler returns after its delivery was lost is not published: whoever gets the
  event next says it, with the same ids.
"""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Event as Flag
from typing import Protocol
from uuid import UUID

from contracts.envelope import Event
from shared.bus.following import Follower
from shared.bus.retry import DeadLetter, RetryLater


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
        DeliveryLostError
            If the delivery is lost, or as soon as it is while confirmations are waited for.
        DependencyAwayError
            If the bus did not confirm in time.
        UnroutableError
            If no queue takes one of the events.
        UnpublishableError
            If one of the events cannot be written; none of them is published then.
        """


Handler = Callable[[Event, Delivery], Sequence[Event]]
"""Handles an event and returns what is to be said about it. Runs in a worker thread."""

Reporter = Callable[[Event, RetryLater | DeadLetter, int], Sequence[Event]]
"""Says what is to be published about an event that is put off or given up, after this attempt."""


Keeper = Callable[[Event, int, str], str]
"""Keeps the traceback of an event that is given up after this attempt, and returns the key it is kept under."""


@dataclass(frozen=True, kw_only=True)
class Subscription:
    """What a service listens to.

    Attributes
    ----------
    queue
        Name of the service's queue, the same for all its replicas: ``casa-runner``.
    topics
        Topics that the queue collects, e.g. ``restore.ordered``; exact, no wildcards.
    handler
        What handles an event.
    concurrency
        Events that one process handles at a time.
    prefetch
        Events that one process holds, at work or ready for it; as many as it handles at a time if None.
        More only helps where handling takes milliseconds.
    report
        What to say about an event that is put off or given up; published before it is settled.
    keep
        Keeps the traceback of an event that is given up.
    longest
        Seconds that handling one event may take at the very most; the broker must not take it back before.
        None for what is done within minutes.
    """

    queue: str
    topics: tuple[str, ...]
    handler: Handler
    concurrency: int = 1
    prefetch: int | None = None
    report: Reporter | None = None
    keep: Keeper | None = None
    longest: float | None = None


@dataclass(frozen=True, kw_only=True)
class DeadEvent:
    """An event that waits in a queue's dead letters for a person.

    Attributes
    ----------
    queue
        Queue whose handler gave it up.
    key
        Names it among the queue's dead letters: the message's id, or a digest of one that has none.
    body
        The message as it came, whole.
    code
        Stable code of the reason: of an error, ``undecodable``, ``misaddressed``, ``unexpected`` or ``delivery_limit``.
    reason
        What happened, for a person.
    attempt
        How often it was tried.
    first_failure
        When it failed first, UTC; None if the broker itself gave it up.
    artefact
        Key of the traceback in the object store, if there is one.
    """

    queue: str
    key: str
    body: bytes
    code: str
    reason: str
    attempt: int
    first_failure: datetime | None
    artefact: str | None = None


@dataclass(frozen=True, kw_only=True)
class QueueDepth:
    """What lies in a service's queue, and how many take from it.

    Attributes
    ----------
    queue
        The service's name.
    ready
        Events that nobody has taken yet.
    replicas
        Processes that take from it.
    dead
        Dead letters.
    """

    queue: str
    ready: int
    replicas: int
    dead: int


def key_of(body: bytes, message_id: object = None) -> str:
    """Name a dead letter: by the id of its message if that is text, else by a digest of it."""
    return message_id if isinstance(message_id, str) and message_id else hashlib.sha256(body).hexdigest()[:32]


class Bus(Protocol):
    """Carries events between services."""

    def declare(self, queues: Mapping[str, tuple[str, ...]]) -> None:
        """Make queues that keep the events of their topics from now on, consumer or not.

        Call it with all services' queues before the first event is published. It may be
        repeated, and only ever adds.

        Parameters
        ----------
        queues
            Topics of each queue, by the queue's name.

        Raises
        ------
        DependencyAwayError
            If the bus cannot be reached.
        MisconfiguredError
            If a queue exists with other properties, or the bus does not let us in.
        """

    def publish(self, events: Sequence[Event]) -> None:
        """Publish events in order; returns when the bus has confirmed all of them.

        Raises
        ------
        DependencyAwayError
            If the bus cannot be reached or did not confirm in time; say it again with the same ids.
        UnroutableError
            If the topology is not declared, or a queue that should take one of the events is gone.
        UnpublishableError
            If one of the events cannot be written; none of them is published then.
        """

    def subscribe(self, subscription: Subscription) -> None:
        """Declare the queue and begin to hand its events to a handler, in threads of the bus.

        Raises
        ------
        DependencyAwayError
            If the bus cannot be reached.
        MisconfiguredError
            If the broker would take an event back before the subscription's longest handling ends.
        """

    def listen(
        self,
        listener: Callable[[Event], None],
        *,
        request_id: UUID | None = None,
        topics: Collection[str] = (),
    ) -> Callable[[], None]:
        """Show every event from now on to an onlooker, unacknowledged and unkept.

        Parameters
        ----------
        request_id
            Only this request's events; all if None.
        topics
            Only events of these topics, exact; all if there are none. The others do not even reach this process.

        Returns
        -------
        callable
            Ends the listening.
        """

    def depths(self, queues: Collection[str]) -> tuple[QueueDepth, ...]:
        """Count what lies in queues and who takes from them; one that does not exist is left out."""

    def follow(self, follower: Follower) -> Callable[[], None]:
        """Give every event to a follower, from where it is on and none left out, in a thread of the bus.

        Returns
        -------
        callable
            Ends the following.
        """

    def dead_letters(self, queue: str) -> tuple[DeadEvent, ...]:
        """List what a queue's handlers gave up, oldest first, and leave it there."""

    def replay(self, queue: str, keys: Collection[str]) -> int:
        """Give dead letters to the queue's handlers again, with their own ids and all attempts before them.

        Who is interrupted in between may give one twice.

        Returns
        -------
        int
            How many there were.
        """

    def drop(self, queue: str, keys: Collection[str]) -> int:
        """Remove dead letters for good; tell how many there were."""

    def is_ready(self) -> bool:
        """Whether events can be published and consumed right now."""

    def stop(self) -> None:
        """Take no more events: no handler begins from now on, and those at work go on. It waits for nobody."""

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
        """Release connections and threads; unfinished deliveries are lost here and come again.

        Call `drain` first to end in peace.
        """

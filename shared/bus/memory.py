"""The bus in memory, for services that share one process."""

from collections.abc import Callable, Collection, Mapping, Sequence
from threading import Lock
from time import monotonic
from uuid import UUID

from contracts.envelope import Event
from shared import tracing
from shared.bus.base import DeadEvent, QueueDepth, Subscription
from shared.bus.errors import UnroutableError
from shared.bus.following import Follower, MemoryFollowing
from shared.bus.handling import check_topics, encode_all
from shared.bus.memory_consumer import MemoryConsumer
from shared.bus.memory_queue import Entry, MemoryQueue
from shared.bus.onlooker import Onlooker
from shared.bus.retry import RetryPolicy


class MemoryBroker:
    """Holds the queues; buses that share one see each other's events."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._queues: dict[str, MemoryQueue] = {}
        self._onlookers: list[Onlooker] = []
        self._followings: list[MemoryFollowing] = []

    def declare(self, queues: Mapping[str, tuple[str, ...]]) -> None:
        """Make queues, or add topics to those that exist."""
        with self._lock:
            for name, topics in queues.items():
                check_topics(topics)
                self._queues.setdefault(name, MemoryQueue(name)).topics.update(topics)

    def queue(self, name: str) -> MemoryQueue:
        """Find a declared queue."""
        with self._lock:
            return self._queues[name]

    def depth(self, name: str) -> QueueDepth | None:
        """Count what lies in a queue, what waits for another try not included; None if it is not declared."""
        with self._lock:
            queue = self._queues.get(name)
            if queue is None:
                return None
            return QueueDepth(queue=name, ready=len(queue.ready), replicas=queue.consumers, dead=len(queue.dead))

    def route(self, events: Sequence[Event], bodies: Sequence[bytes]) -> None:
        """Give each event to the queues that take its topic, and to the onlookers.

        Events are frozen, so that all may share one; the bytes prove that it could travel.
        """
        with self._lock:
            if not self._queues:
                topics = sorted({event.topic for event in events})
                raise UnroutableError(f"no queue is declared, so nobody would take {', '.join(topics)}")
            entries = [(event.topic, Entry(body, event)) for event, body in zip(events, bodies, strict=True)]
            for queue in self._queues.values():
                queue.put_entries([entry for topic, entry in entries if topic in queue.topics])
            for following in self._followings:
                following.offer(bodies)
            for onlooker in self._onlookers:
                for event in events:
                    onlooker.offer(event)

    def add_following(self, following: MemoryFollowing) -> None:
        """Give a follower what is published from now on."""
        with self._lock:
            self._followings.append(following)

    def remove_following(self, following: MemoryFollowing) -> None:
        """Give a follower nothing more."""
        with self._lock:
            if following in self._followings:
                self._followings.remove(following)

    def add_onlooker(self, onlooker: Onlooker) -> None:
        """Show an onlooker what is published from now on."""
        with self._lock:
            self._onlookers.append(onlooker)

    def remove_onlooker(self, onlooker: Onlooker) -> None:
        """Show an onlooker nothing more."""
        with self._lock:
            if onlooker in self._onlookers:
                self._onlookers.remove(onlooker)
                onlooker.close()


class MemoryBus:
    """Carries events between services in one process.

    Parameters
    ----------
    retry
        When a failed event is tried again.
    broker
        Holds the queues; one of its own if None. Buses that share a broker see each other's events.
    """

    def __init__(self, *, retry: RetryPolicy | None = None, broker: MemoryBroker | None = None) -> None:
        self._retry = retry or RetryPolicy()
        self._broker = broker or MemoryBroker()
        self._consumers: list[MemoryConsumer] = []
        self._onlookers: list[Onlooker] = []
        self._followings: list[MemoryFollowing] = []
        self._closed = False

    def declare(self, queues: Mapping[str, tuple[str, ...]]) -> None:
        """Make queues that keep the events of their topics."""
        self._broker.declare(queues)

    def publish(self, events: Sequence[Event]) -> None:
        """Publish events in order."""
        bodies = encode_all(events)
        if bodies:
            with tracing.publishing(events):
                self._broker.route(events, bodies)

    def subscribe(self, subscription: Subscription) -> None:
        """Begin to hand events of a queue to a handler."""
        self.declare({subscription.queue: subscription.topics})
        consumer = MemoryConsumer(
            queue=self._broker.queue(subscription.queue),
            subscription=subscription,
            publish=self.publish,
            policy=self._retry,
        )
        self._consumers.append(consumer)
        consumer.begin()

    def listen(
        self,
        listener: Callable[[Event], None],
        *,
        request_id: UUID | None = None,
        topics: Collection[str] = (),
    ) -> Callable[[], None]:
        """Show every event from now on to an onlooker; returns what ends it."""
        onlooker = Onlooker(listener=listener, request_id=request_id, topics=topics)
        self._onlookers.append(onlooker)
        self._broker.add_onlooker(onlooker)
        return lambda: self._broker.remove_onlooker(onlooker)

    def depths(self, queues: Collection[str]) -> tuple[QueueDepth, ...]:
        """Count what lies in queues and who takes from them."""
        return tuple(depth for name in queues if (depth := self._broker.depth(name)) is not None)

    def follow(self, follower: Follower) -> Callable[[], None]:
        """Give every event from now on to a follower; returns what ends it."""
        following = MemoryFollowing(follower=follower)
        self._followings.append(following)
        self._broker.add_following(following)

        def end() -> None:
            self._broker.remove_following(following)
            following.close()

        return end

    def dead_letters(self, queue: str) -> tuple[DeadEvent, ...]:
        """List what a queue's handlers gave up."""
        return tuple(self._broker.queue(queue).dead)

    def replay(self, queue: str, keys: Collection[str]) -> int:
        """Give dead letters to the queue's handlers again; tell how many there were."""
        found = self._broker.queue(queue).dig_out(keys)
        self._broker.queue(queue).put([each.body for each in found])
        return len(found)

    def drop(self, queue: str, keys: Collection[str]) -> int:
        """Remove dead letters for good; tell how many there were."""
        return len(self._broker.queue(queue).dig_out(keys))

    def is_ready(self) -> bool:
        """Whether the bus is open."""
        return not self._closed

    def stop(self) -> None:
        """Take no more events."""
        for consumer in self._consumers:
            consumer.stop()

    def drain(self, timeout: float) -> bool:
        """Stop taking events and wait for handlers at work."""
        until = monotonic() + timeout
        self.stop()
        finished = [consumer.drain(max(0.0, until - monotonic())) for consumer in self._consumers]
        for following in self._followings:
            following.drain(max(0.0, until - monotonic()))
        return all(finished)

    def close(self) -> None:
        """Give back what is unfinished and end the threads."""
        self._closed = True
        for consumer in self._consumers:
            consumer.close()
        for onlooker in self._onlookers:
            self._broker.remove_onlooker(onlooker)
        for following in self._followings:
            self._broker.remove_following(following)
            following.close()

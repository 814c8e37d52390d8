"""The bus over RabbitMQ, for services in processes of their own."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event as Flag
from uuid import UUID

from contracts.envelope import Event
from shared import tracing
from shared.bus import wire
from shared.bus.applying import Difference
from shared.bus.base import DeadEvent, QueueDepth, Subscription
from shared.bus.consumer import Consumer
from shared.bus.declaring import Declarer
from shared.bus.depths import count
from shared.bus.following import Follower
from shared.bus.graveyard import Graveyard
from shared.bus.handling import encode_all
from shared.bus.journal import JournalFollowing
from shared.bus.leftovers import Leftover, leftovers
from shared.bus.listening import Listening
from shared.bus.patience import consumer_arguments
from shared.bus.publisher import Publisher
from shared.bus.retry import RetryPolicy
from shared.bus.settings import RabbitSettings
from shared.bus.topology import Binding, Names, hold_limit


class RabbitBus:
    """Carries events between services by RabbitMQ 3.10 or later.

    Parameters
    ----------
    settings
        Where the broker is and how it is used.
    retry
        When a failed event is tried again; each of its delays is a queue in the broker.
    """

    def __init__(self, *, settings: RabbitSettings, retry: RetryPolicy | None = None) -> None:
        self._settings = settings
        self._retry = retry or RetryPolicy()
        self._names = Names(settings.prefix)
        self._declarer = Declarer(settings=settings, retry=self._retry)
        self._graveyard = Graveyard(settings=settings)
        self._publisher = Publisher(settings=settings, prepare=self._declarer.redeclare)
        self._consumers: list[Consumer] = []
        self._listenings: list[Listening] = []
        self._followings: list[JournalFollowing] = []

    def declare(self, queues: Mapping[str, tuple[str, ...]]) -> None:
        """Make queues that keep the events of their topics from now on; see `shared.bus.base.Bus`."""
        self._declarer.declare(queues)

    def compare(self, queues: Mapping[str, tuple[str, ...]]) -> tuple[Difference, ...]:
        """Say what a broker that is there lacks for these queues, has otherwise or has too much; change nothing.

        Raises
        ------
        DependencyAwayError
            If the broker, or its management plugin if that is to be asked, cannot be reached.
        """
        self._declarer.know(queues)
        return self._declarer.compare()

    def leftovers(self, queues: Mapping[str, tuple[str, ...]]) -> tuple[Leftover, ...]:
        """List queues of ours that are none of these, nor what these need; none if there is nobody to ask.

        Raises
        ------
        DependencyAwayError
            If the broker or its management plugin cannot be reached.
        """
        self._declarer.know(queues)
        return leftovers(self._declarer.wanted(), self._settings)

    @property
    def compares_bindings(self) -> bool:
        """Whether there is someone who can be asked for bindings."""
        return self._settings.management_url is not None

    def unbind(self, bindings: Iterable[Binding]) -> None:
        """Remove bindings that `compare` has found to be stale."""
        self._declarer.unbind(bindings)

    def publish(self, events: Sequence[Event]) -> None:
        """Publish events in order; returns when the broker has confirmed all of them."""
        self._publish(events, None)

    def _publish(self, events: Sequence[Event], lost: Flag | None) -> None:
        bodies = encode_all(events)
        outgoing = [wire.of_event(event, body, names=self._names) for event, body in zip(events, bodies, strict=True)]
        with tracing.publishing(events):
            self._publisher.publish(outgoing, lost=lost)

    def subscribe(self, subscription: Subscription) -> None:
        """Declare the queue and begin to hand its events to a handler; see `shared.bus.base.Bus`."""
        self.declare({subscription.queue: subscription.topics})
        arguments = consumer_arguments(
            subscription.queue,
            longest=subscription.longest,
            version=self._declarer.version() if subscription.longest else "",
            queue_timeout=hold_limit(subscription.queue, self._settings),
            broker_timeout=self._settings.broker_consumer_timeout,
        )
        self._consumers.append(
            Consumer(
                subscription=subscription,
                settings=self._settings,
                retry=self._retry,
                publisher=self._publisher,
                publish=self._publish,
                prepare=self._declarer.redeclare,
                arguments=arguments,
            )
        )

    def listen(
        self,
        listener: Callable[[Event], None],
        *,
        request_id: UUID | None = None,
        topics: Collection[str] = (),
    ) -> Callable[[], None]:
        """Show every event from now on to an onlooker; returns what ends it.

        Raises
        ------
        DependencyAwayError
            If the broker cannot be reached or nothing was ever declared there.
        """
        listening = Listening(
            listener=listener,
            request_id=request_id,
            topics=topics,
            settings=self._settings,
            prepare=self._declarer.redeclare,
        )
        self._listenings.append(listening)
        return listening.close

    def depths(self, queues: Collection[str]) -> tuple[QueueDepth, ...]:
        """Count what lies in queues and who takes from them; see `shared.bus.base.Bus`."""
        return count(queues, settings=self._settings)

    def follow(self, follower: Follower) -> Callable[[], None]:
        """Give every event of the journal to a follower; see `shared.bus.base.Bus`."""
        following = JournalFollowing(follower=follower, settings=self._settings)
        self._followings.append(following)
        return following.close

    def dead_letters(self, queue: str) -> tuple[DeadEvent, ...]:
        """List what a queue's handlers gave up, oldest first, and leave it there."""
        return self._graveyard.list(queue)

    def replay(self, queue: str, keys: Collection[str]) -> int:
        """Give dead letters to the queue's handlers again; tell how many there were."""
        return self._graveyard.replay(queue, keys)

    def drop(self, queue: str, keys: Collection[str]) -> int:
        """Remove dead letters for good; tell how many there were."""
        return self._graveyard.drop(queue, keys)

    def is_ready(self) -> bool:
        """Whether events can be published and every subscription gets its events."""
        return self._publisher.is_ready and all(consumer.is_ready for consumer in self._consumers)

    def is_alive(self) -> bool:
        """Whether every thread of the bus is there that is not to end; what one of them does, no other takes over."""
        parts: tuple[Publisher | Consumer | Listening | JournalFollowing, ...] = (
            self._publisher,
            *self._consumers,
            *self._listenings,
            *self._followings,
        )
        return all(part.is_alive for part in parts)

    def stop(self) -> None:
        """Take no more events."""
        for consumer in self._consumers:
            consumer.stop()

    def drain(self, timeout: float) -> bool:
        """Stop taking events and let handlers that are at work finish.

        All queues at once: what came to one in its last moment goes back, and does not wait for another's handler.
        """
        self.stop()
        with ThreadPoolExecutor(max(1, len(self._consumers)), thread_name_prefix="drain") as threads:
            return all(list(threads.map(lambda consumer: consumer.drain(timeout), self._consumers)))

    def close(self) -> None:
        """Release connections and threads; unfinished deliveries go back to their queues."""
        for consumer in self._consumers:
            consumer.close()
        for listening in self._listenings:
            listening.close()
        for following in self._followings:
            following.close()
        self._publisher.close()

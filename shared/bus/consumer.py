"""Takes a queue's events from RabbitMQ and gives them to a handler in worker threads."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from queue import SimpleQueue
from threading import Event as Flag
from threading import Lock
from time import monotonic
from typing import Any

import structlog
from pika import BasicProperties
from pika.channel import Channel
from pika.spec import Basic

from contracts.envelope import Event
from shared.bus import wire
from shared.bus.answers import answer_malformed
from shared.bus.base import Subscription
from shared.bus.errors import DeliveryLostError, UnroutableError
from shared.bus.handling import SENDERS_FAULT, Ending, Workers, handle
from shared.bus.link import Link
from shared.bus.publisher import Outgoing, Publisher
from shared.bus.retry import DeadLetter, RetryLater, RetryPolicy
from shared.bus.settings import RabbitSettings
from shared.bus.topology import Names
from shared.errors import DependencyAwayError, RestoreError

log = structlog.get_logger(__name__)
_PAUSE = 1.0


class RabbitDelivery:
    """A delivery of an event from RabbitMQ."""

    def __init__(
        self,
        *,
        tag: int,
        properties: BasicProperties,
        body: bytes,
        lost: Flag,
        publish: Callable[[Sequence[Event], Flag], None],
    ) -> None:
        self.tag = tag
        self.properties = properties
        self.body = body
        self.lost = lost
        self.attempt = wire.attempt_of(properties)
        self._publish = publish

    def publish(self, events: Sequence[Event]) -> None:
        """Publish while the handler still works."""
        self._publish(events, self.lost)


class Consumer:
    """Consumes one queue over a connection of its own, so that its trouble is no other's.

    Parameters
    ----------
    subscription
        The queue and its handler.
    settings
        Where the broker is.
    retry
        When a failed event is tried again.
    publisher
        Publishes what is put off or given up.
    publish
        Publishes what handlers say, unless their delivery is lost.
    prepare
        Redeclares the topology before each connection.
    arguments
        What the consumer asks of the broker, e.g. for how long it may hold an event.
    """

    def __init__(
        self,
        *,
        subscription: Subscription,
        settings: RabbitSettings,
        retry: RetryPolicy,
        publisher: Publisher,
        publish: Callable[[Sequence[Event], Flag], None],
        prepare: Callable[[], None],
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        self._arguments = dict(arguments or {})
        self._subscription = subscription
        self._retry = retry
        self._publisher = publisher
        self._publish = publish
        self._prepare = prepare
        self._names = Names(settings.prefix)
        self._queue = self._names.queue(subscription.queue)
        self._lock = Lock()
        self._held: dict[int, RabbitDelivery] = {}
        self._lost = Flag()
        """Set when the channel's deliveries are lost, all at once; each channel has a new one."""
        self._settled: list[int] = []
        self._arrived: list[RabbitDelivery] = []
        """What workers have not been given yet; touched by the link's thread alone."""
        self._channel: Channel | None = None
        self._tag = ""
        self._stopping = Flag()
        self._cancelled = Flag()
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._workers = Workers(name=subscription.queue, count=subscription.concurrency, take=self._jobs.get)
        self._link = Link(name=subscription.queue, settings=settings, owner=self, prepare=prepare)
        self._link.start()

    @property
    def is_ready(self) -> bool:
        """Whether events are coming."""
        return self._link.is_ready

    @property
    def is_alive(self) -> bool:
        """Whether all threads are there, or are to end."""
        return self._stopping.is_set() or (self._link.is_alive and self._workers.are_alive)

    def stop(self) -> None:
        """Take no more events."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        self._link.call(self._stop_consuming)

    def drain(self, timeout: float) -> bool:
        """After `stop`, let handlers finish and their acknowledgements reach the broker."""
        until = monotonic() + timeout
        self._cancelled.wait(timeout if self._link.is_ready else 0.0)
        for _ in range(self._subscription.concurrency):
            self._jobs.put(None)
        finished = self._workers.join(max(0.0, until - monotonic()))
        if finished:
            self._link.close()
        return finished

    def close(self) -> None:
        """End the connection; what is unfinished goes back to the queue."""
        self._stopping.set()
        self._give_up_held()
        self._link.close()
        for _ in range(self._subscription.concurrency):
            self._jobs.put(None)

    def on_channel(self, channel: Channel) -> None:
        """Begin to consume."""
        self._channel, self._lost = channel, Flag()
        if self._stopping.is_set():
            return
        channel.add_on_cancel_callback(lambda _frame: self._link.restart("the broker cancelled the consumer"))
        channel.basic_qos(prefetch_count=self._subscription.prefetch or self._subscription.concurrency)
        self._tag = channel.basic_consume(
            self._queue, self._on_message, arguments=self._arguments, callback=lambda _ok: self._link.mark_ready()
        )

    def on_lost(self, _reason: BaseException | None) -> None:
        """Tell handlers that the broker took their deliveries back."""
        self._channel = None
        if self._stopping.is_set():
            self._cancelled.set()
        self._give_up_held()

    def _give_up_held(self) -> None:
        with self._lock:
            lost = len(self._held)
            self._held.clear()
            self._settled.clear()
        self._lost.set()
        if lost:
            log.warning("deliveries_lost_others_get_them", queue=self._subscription.queue, number=lost)

    def _stop_consuming(self) -> None:
        if self._channel is not None and self._channel.is_open:
            self._channel.basic_cancel(self._tag, callback=lambda _ok: self._cancelled.set())
        else:
            self._cancelled.set()

    def _on_message(self, _channel: Channel, method: Basic.Deliver, properties: BasicProperties, body: bytes) -> None:
        delivery = RabbitDelivery(
            tag=method.delivery_tag or 0, properties=properties, body=body, lost=self._lost, publish=self._publish
        )
        with self._lock:
            self._held[delivery.tag] = delivery
        self._arrived.append(delivery)
        if len(self._arrived) == 1:
            self._link.call(self._hand_over)

    def _hand_over(self) -> None:
        """Give workers what has arrived, all at once: reading and handling would only fight for the interpreter."""
        arrived, self._arrived = self._arrived, []
        for delivery in arrived:
            self._jobs.put(partial(self._work, delivery))

    def _work(self, delivery: RabbitDelivery) -> None:
        try:
            self._deal_with(delivery)
        except Exception:  # a thread that ends would hold its delivery, and its place, for ever
            log.exception("delivery_cannot_be_settled", queue=self._subscription.queue, consequence="it is given back")
            self._link.call(partial(self._link.restart, "a delivery could not be settled"))

    def _deal_with(self, delivery: RabbitDelivery) -> None:
        if self._stopping.is_set() or delivery.lost.is_set():
            return
        handled = handle(
            lambda: Event.decode(delivery.body),
            delivery,
            subscription=self._subscription,
            policy=self._retry,
            past=wire.past_of(delivery.properties),
        )
        if handled.outcome is Ending.LOST:
            return
        if handled.outcome is not Ending.DONE:
            if not self._put_aside(self._outgoing(delivery, handled.outcome, handled.first_failure), delivery):
                return
            self._answer_if_malformed(delivery, handled.outcome)
        if self._settle(delivery):
            self._link.call(self._acknowledge)

    def _outgoing(
        self, delivery: RabbitDelivery, decision: RetryLater | DeadLetter, first_failure: datetime | None
    ) -> Outgoing:
        """Tell where a message goes that is not done."""
        since = first_failure or datetime.now(UTC)
        about: dict[str, Any] = {"queue": self._subscription.queue, "first_failure": since, "names": self._names}
        match decision:
            case RetryLater(delay=delay):
                return wire.put_off(delivery.body, delivery.properties, delay=delay, **about)
            case DeadLetter():
                return wire.given_up(delivery.body, delivery.properties, decision=decision, **about)

    def _put_aside(self, outgoing: Outgoing, delivery: RabbitDelivery) -> bool:
        """Publish until it is confirmed; the delivery is held meanwhile."""
        while not delivery.lost.is_set():
            try:
                self._publisher.publish([outgoing], lost=delivery.lost)
            except DeliveryLostError:
                break
            except (DependencyAwayError, UnroutableError) as error:
                log.warning("message_not_put_aside_said_again", queue=self._subscription.queue, reason=str(error))
                self._make_topology_whole()
                delivery.lost.wait(_PAUSE)
            else:
                return True
        return False

    def _answer_if_malformed(self, delivery: RabbitDelivery, decision: RetryLater | DeadLetter) -> None:
        """Tell the sender, once; that he cannot be reached is no trouble of ours."""
        if not isinstance(decision, DeadLetter) or decision.code not in SENDERS_FAULT:
            return
        answer = answer_malformed(
            delivery.body,
            delivery.properties,
            queue=self._subscription.queue,
            reason=decision.reason,
            names=self._names,
        )
        if answer is None:
            return
        try:
            self._publisher.publish([answer])
        except (DependencyAwayError, UnroutableError) as error:
            log.warning("malformed_message_not_answered", reply_to=answer.routing_key, reason=str(error))

    def _make_topology_whole(self) -> None:
        """Make a wait queue or dead-letter queue anew that somebody removed."""
        try:
            self._prepare()
        except RestoreError as error:
            log.warning("topology_not_whole", queue=self._subscription.queue, reason=str(error))

    def _settle(self, delivery: RabbitDelivery) -> bool:
        """Note that a delivery is to be acknowledged, if it is still ours; tell whether it is the first of several."""
        with self._lock:
            if self._held.get(delivery.tag) is not delivery:
                return False
            del self._held[delivery.tag]
            self._settled.append(delivery.tag)
            return len(self._settled) == 1

    def _acknowledge(self) -> None:
        """Acknowledge what was settled since the last time: one frame for all that is older than what is held."""
        channel = self._channel
        if channel is None or not channel.is_open:
            return
        with self._lock:
            tags = sorted(self._settled)
            self._settled.clear()
            oldest_held = next(iter(self._held), None)
        older = [tag for tag in tags if oldest_held is None or tag < oldest_held]
        if older:
            channel.basic_ack(older[-1], multiple=True)
        for tag in tags[len(older) :]:
            channel.basic_ack(tag)

"""Takes events from a queue in memory and gives them to a handler in worker threads."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from threading import Event as Flag
from threading import Lock

from contracts.envelope import Event
from shared.bus.base import DeadEvent, Subscription, key_of
from shared.bus.errors import DeliveryLostError
from shared.bus.handling import Ending, Handled, Past, Workers, handle
from shared.bus.memory_queue import Entry, MemoryQueue
from shared.bus.retry import DeadLetter, RetryLater, RetryPolicy


class _MemoryDelivery:
    """A delivery of an event from a queue in memory."""

    def __init__(self, *, entry: Entry, publish: Callable[[Sequence[Event]], None]) -> None:
        self.entry = entry
        self.lost = Flag()
        self._publish = publish

    @property
    def attempt(self) -> int:
        return self.entry.attempt

    def publish(self, events: Sequence[Event]) -> None:
        if self.lost.is_set():
            raise DeliveryLostError("this bus is closed: whoever gets the delivery next says it")
        self._publish(events)


class MemoryConsumer:
    """Works off a queue for one subscription, once it is told to begin.

    Parameters
    ----------
    queue
        The queue.
    subscription
        Who handles its events.
    publish
        Publishes what handlers say.
    policy
        When a failed event is tried again.
    """

    def __init__(
        self,
        *,
        queue: MemoryQueue,
        subscription: Subscription,
        publish: Callable[[Sequence[Event]], None],
        policy: RetryPolicy,
    ) -> None:
        self._queue = queue
        self._subscription = subscription
        self._publish = publish
        self._policy = policy
        self._stopping = Flag()
        self._lock = Lock()
        self._at_work: dict[int, _MemoryDelivery] = {}
        self._queue.consumers += 1
        self._workers: Workers | None = None

    def begin(self) -> None:
        """Take events from now on; who may be told to stop has to know this consumer before."""
        self._workers = Workers(name=self._subscription.queue, count=self._subscription.concurrency, take=self._take)

    def _take(self) -> Callable[[], None] | None:
        entry = self._queue.take(self._stopping)
        if entry is None:
            return None
        delivery = _MemoryDelivery(entry=entry, publish=self._publish)
        with self._lock:
            self._at_work[id(delivery)] = delivery
        return lambda: self._work(delivery)

    def _work(self, delivery: _MemoryDelivery) -> None:
        entry = delivery.entry
        handled = handle(
            lambda: entry.event or Event.decode(entry.body),
            delivery,
            subscription=self._subscription,
            policy=self._policy,
            past=entry.past,
        )
        with self._lock:
            if self._at_work.pop(id(delivery), None) is not None:
                self._settle(entry, handled)

    def _settle(self, entry: Entry, handled: Handled) -> None:
        match handled.outcome:
            case RetryLater(delay=delay):
                past = Past(failures=entry.past.failures + 1, first_failure=handled.first_failure)
                later = replace(entry, attempt=entry.attempt + 1, past=past)
                self._queue.put_off(later, delay)
            case DeadLetter(code=code, reason=reason, artefact=artefact):
                self._queue.bury(
                    DeadEvent(
                        queue=self._queue.name,
                        key=handled.key or key_of(entry.body),
                        body=entry.body,
                        code=code,
                        reason=reason,
                        attempt=entry.attempt,
                        first_failure=handled.first_failure,
                        artefact=artefact,
                    )
                )
            case Ending():
                pass

    def stop(self) -> None:
        """Take no more events."""
        if not self._stopping.is_set():
            self._queue.consumers -= 1
        self._stopping.set()
        self._queue.interrupt()

    def drain(self, timeout: float) -> bool:
        """After `stop`, let handlers finish."""
        return self._workers is None or self._workers.join(timeout)

    def close(self) -> None:
        """Give back what is at work: the next consumer gets it, as after the death of a process."""
        self.stop()
        with self._lock:
            deliveries = list(self._at_work.values())
            self._at_work.clear()
        for delivery in deliveries:
            delivery.lost.set()
        self._queue.put_back([replace(each.entry, attempt=each.attempt + 1) for each in deliveries])

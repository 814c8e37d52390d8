"""What the bus contract suite needs of each adapter, and helpers to wait for events."""

from collections.abc import Callable, Sequence
from threading import Condition
from threading import Event as Flag
from time import monotonic
from typing import Generic, Protocol, TypeVar
from uuid import UUID, uuid4

from contracts.envelope import Event
from contracts.messages import RestoreProgressed, RestoreStarted
from shared.bus import Bus, Delivery, Handler, RetryPolicy, Subscription
from shared.bus.following import Place, Said
from shared.bus.memory import MemoryBroker, MemoryBus
from tests.support.samples import EB, MOUS

T = TypeVar("T")
SOURCE = "/alma-restore/test"
STARTED, PROGRESSED = "restore.started", "restore.progressed"
PATIENCE = 15.0
QUICK = RetryPolicy(delays=(0.1, 0.2), spread=(1.0,), deadline=60.0, unexpected_attempts=3)


class Harness(Protocol):
    """Makes buses that share one broker, and reaches behind them."""

    def bus(self, retry: RetryPolicy = QUICK) -> Bus:
        """Connect one more bus, as another process would."""

    def put_raw(self, queue: str, body: bytes) -> None:
        """Put bytes into a queue that no bus of ours would publish."""

    def close(self) -> None:
        """Close every bus."""


class MemoryHarness:
    """Buses in memory on one broker."""

    def __init__(self) -> None:
        self._broker = MemoryBroker()
        self._buses: list[MemoryBus] = []

    def bus(self, retry: RetryPolicy = QUICK) -> Bus:
        bus = MemoryBus(retry=retry, broker=self._broker)
        self._buses.append(bus)
        return bus

    def put_raw(self, queue: str, body: bytes) -> None:
        self._broker.queue(queue).put([body])

    def close(self) -> None:
        for bus in self._buses:
            bus.close()


class Collector(Generic[T]):
    """Collects what threads put in, and waits for it."""

    def __init__(self) -> None:
        self._items: list[T] = []
        self._changed = Condition()

    def __call__(self, item: T) -> None:
        with self._changed:
            self._items.append(item)
            self._changed.notify_all()

    @property
    def items(self) -> list[T]:
        with self._changed:
            return list(self._items)

    def wait_until(self, holds: Callable[[list[T]], bool], timeout: float = 15.0) -> list[T]:
        """Wait until something holds of what is there, which is at least one, and return all."""
        with self._changed:
            if not self._changed.wait_for(lambda: bool(self._items) and holds(self._items), timeout):
                raise AssertionError(f"what was waited for did not come within {timeout} s: {self._items}")
            return list(self._items)

    def wait_for(self, number: int, timeout: float = 15.0) -> list[T]:
        """Wait until at least so many are there, and return all."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._items) >= number, timeout):
                raise AssertionError(f"{len(self._items)} of {number} came within {timeout} s")
            return list(self._items)


def started(request_id: UUID | None = None) -> Event:
    """Make an event of topic ``restore.started``."""
    message = RestoreStarted(request_id=request_id or uuid4(), mous_uid=MOUS, eb_uid=EB, runner="node1", attempt=1)
    return Event.first(message, source=SOURCE)


def progressed(cause: Event, percent: float = 50.0) -> Event:
    """Make an event of topic ``restore.progressed`` that another one causes."""
    message = RestoreProgressed(
        request_id=cause.correlationid, mous_uid=MOUS, eb_uid=EB, step="applycal", percent=percent
    )
    return cause.derive(message, source=SOURCE, key=str(percent))


def unwritable() -> Event:
    """Make an event whose data no JSON can hold."""
    event = started()
    return event.model_copy(update={"data": event.data.model_copy(update={"runner": object()})})


def collecting(events: Collector[Event]) -> Handler:
    def handler(event: Event, delivery: Delivery) -> Sequence[Event]:
        events(event)
        return ()

    return handler


def collect(bus: Bus, queue: str, *topics: str) -> Collector[Event]:
    events = Collector[Event]()
    bus.subscribe(Subscription(queue=queue, topics=topics, handler=collecting(events)))
    return events


class Failing:
    """A handler that raises an error so many times before it succeeds."""

    def __init__(self, error: BaseException, times: int = 1_000) -> None:
        self.error, self.times = error, times
        self.attempts = Collector[tuple[Event, int, float]]()

    def __call__(self, event: Event, delivery: Delivery) -> Sequence[Event]:
        self.attempts((event, delivery.attempt, monotonic()))
        if delivery.attempt <= self.times:
            raise self.error
        return ()


class Slow:
    """A handler that works until it is let go."""

    def __init__(self) -> None:
        self.deliveries = Collector[tuple[Event, Delivery]]()
        self.go_on = Flag()

    def __call__(self, event: Event, delivery: Delivery) -> Sequence[Event]:
        self.deliveries((event, delivery))
        assert self.go_on.wait(PATIENCE)
        return [progressed(event, 100.0)]


class Reader:
    """Takes events, and remembers how far it is as a ledger does."""

    def __init__(self, place: Place | None = None, *, fails: int = 0) -> None:
        self.place = place
        self.fails = fails
        self.missed: list[tuple[int, int]] = []
        self.anew = 0
        self._taken: list[UUID] = []
        self._changed = Condition()

    def position(self) -> Place | None:
        return self.place

    def begin_anew(self) -> None:
        self.anew += 1
        self.place = None

    def miss(self, first: int, last: int) -> None:
        self.missed.append((first, last))

    def take(self, said: Sequence[Said]) -> None:
        if self.fails:
            self.fails -= 1
            raise RuntimeError("the follower has a fault")
        with self._changed:
            self._taken += [Event.decode(each.body).id for each in said]
            self.place = said[-1].place
            self._changed.notify_all()

    def wait_for(self, events: Sequence[Event], timeout: float = 15.0) -> None:
        wanted = [event.id for event in events]
        self.wait_until(lambda taken: taken[-len(wanted) :] == wanted, timeout)

    def wait_until(self, holds: Callable[[list[UUID]], bool], timeout: float = 15.0) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: holds(self._taken), timeout), self._taken

    @property
    def taken(self) -> list[UUID]:
        with self._changed:
            return list(self._taken)


def wait_for_dead_letter(bus: Bus, queue: str, number: int = 1) -> None:
    until = monotonic() + PATIENCE
    while len(bus.dead_letters(queue)) < number:
        assert monotonic() < until, "no dead letter"
        Flag().wait(0.02)

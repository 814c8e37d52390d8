"""What the bus contract suite needs of each adapter, and helpers to wait for events."""

from threading import Condition
from typing import Generic, Protocol, TypeVar
from uuid import UUID, uuid4

from contracts.envelope import Event
from contracts.messages import RestoreProgressed, RestoreStarted
from shared.bus import Bus, RetryPolicy
from shared.bus.memory import MemoryBroker, MemoryBus
from tests.support.samples import EB, MOUS

T = TypeVar("T")
SOURCE = "/alma-restore/test"
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

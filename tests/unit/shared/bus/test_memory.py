"""What the bus in memory promises besides the contract, which has no moment between two steps."""

from collections.abc import Sequence
from threading import Event as Flag

from contracts.envelope import Event
from shared.bus import Delivery, Subscription
from shared.bus.memory import MemoryBroker, MemoryBus
from tests.contract.bus_harness import PATIENCE, STARTED, Collector, collect, started


def test_a_handler_stops_its_bus_although_the_subscription_has_not_returned_yet() -> None:
    broker = MemoryBroker()
    bus, other = MemoryBus(broker=broker), MemoryBus(broker=broker)
    begun, stopped = Collector[Event](), Flag()
    bus.declare({"casa-runner": (STARTED,)})
    bus.publish([first := started()])

    def handler(event: Event, _: Delivery) -> Sequence[Event]:
        begun(event)
        bus.stop()
        stopped.set()
        return ()

    # So many threads that the first handles the event before the last one runs.
    bus.subscribe(Subscription(queue="casa-runner", topics=(STARTED,), handler=handler, concurrency=200))
    assert stopped.wait(PATIENCE)
    other.publish([second := started()])
    assert collect(other, "casa-runner", STARTED).wait_for(1) == [second]
    assert begun.items == [first]
    assert bus.drain(PATIENCE)

"""Every bus tells what lies in its queues and who takes from them."""

from time import monotonic, sleep

from shared.bus import Bus, QueueDepth, Subscription
from tests.contract.bus_harness import PATIENCE, STARTED, Failing, Harness, started


def wait_for(bus: Bus, wanted: QueueDepth) -> None:
    until = monotonic() + PATIENCE
    while (found := bus.depths([wanted.queue])) != (wanted,):
        assert monotonic() < until, found
        sleep(0.05)


def test_depths_tell_what_nobody_has_taken_and_what_was_given_up(bus_harness: Harness) -> None:
    bus, other = bus_harness.bus(), bus_harness.bus()
    other.declare({"casa-runner": (STARTED,)})
    other.publish([started(), started()])
    wait_for(other, QueueDepth(queue="casa-runner", ready=2, replicas=0, dead=0))
    bus.subscribe(Subscription(queue="casa-runner", topics=(STARTED,), handler=Failing(ValueError("broken"))))
    wait_for(other, QueueDepth(queue="casa-runner", ready=0, replicas=1, dead=2))
    bus.drain(PATIENCE)
    bus.close()
    wait_for(other, QueueDepth(queue="casa-runner", ready=0, replicas=0, dead=2))


def test_a_queue_that_does_not_exist_is_left_out(bus_harness: Harness) -> None:
    bus = bus_harness.bus()
    bus.declare({"casa-runner": (STARTED,)})
    assert [depth.queue for depth in bus.depths(["ppr-builder", "casa-runner"])] == ["casa-runner"]

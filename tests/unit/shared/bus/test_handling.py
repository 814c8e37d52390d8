"""When what failed together is tried again."""

from collections.abc import Sequence
from threading import Event as Flag

from contracts.envelope import Event
from shared.bus import RetryLater, RetryPolicy, Subscription
from shared.bus.handling import NEVER_FAILED, handle
from shared.errors import DependencyAwayError
from tests.contract.bus_harness import STARTED, Failing, started


class FirstDelivery:
    """The first delivery of an event, to whose handler nobody listens."""

    attempt = 1

    def __init__(self) -> None:
        self.lost = Flag()

    def publish(self, events: Sequence[Event]) -> None:
        raise AssertionError(f"a handler that failed says nothing: {events}")


def test_what_failed_together_is_put_off_by_each_of_the_delays_that_the_lot_can_choose() -> None:
    failing = Failing(DependencyAwayError("the archive does not answer"))
    subscription = Subscription(queue="casa-runner", topics=(STARTED,), handler=failing)
    policy, event = RetryPolicy(delays=(10.0,), spread=(0.5, 1.0, 2.0)), started()
    put_off = set[float]()
    for _ in range(60):
        outcome = handle(
            lambda: event, FirstDelivery(), subscription=subscription, policy=policy, past=NEVER_FAILED
        ).outcome
        assert isinstance(outcome, RetryLater)
        put_off.add(outcome.delay)
    assert put_off == {5.0, 10.0, 20.0}

"""A request that is cancelled ends its CASA within seconds, at whatever step, and nothing more is said."""

import signal
import time
from collections.abc import Sequence
from threading import Event as Flag

import pytest

from contracts.envelope import Event
from contracts.messages import RequestCancelled
from services.casa_runner.service import CasaRunner
from shared.cancellation import cancel
from tests.support.casa_bench import HANG, Bench, restored
from tests.support.delivery import RecordingDelivery


class Cancelling(RecordingDelivery):
    """Somebody cancels the request when a step is said; before the first if the step has no name."""

    def __init__(self, runner: CasaRunner, order: Event, *, at: str) -> None:
        super().__init__()
        request = order.data.request  # type: ignore[attr-defined]  # an order has one
        message = RequestCancelled(request_id=request.request_id, mous_uid=request.mous_uid, by="vera")
        self._runner = runner
        self._word = Event.first(message, source="/test")
        self._at = at

    def publish(self, events: Sequence[Event]) -> None:
        super().publish(events)
        if getattr(events[-1].data, "step", "") == self._at:
            self._runner.hear(self._word)


@pytest.mark.parametrize(
    ("step", "behaviour"), [("", HANG), ("inputs", HANG), ("importasdm", HANG), ("split", "say('split', 80)\n" + HANG)]
)
def test_a_request_that_is_cancelled_at_any_step_ends_casa_within_seconds_and_nothing_more_is_said(
    bench: Bench, step: str, behaviour: str
) -> None:
    event = bench.order()
    runner = bench.runner(behaviour)
    delivery = Cancelling(runner, event, at=step)
    begun = time.monotonic()
    assert runner.handle(event, delivery) == []
    assert time.monotonic() - begun < 5
    assert all(casa.wait(0) == -signal.SIGKILL for casa in bench.launcher.started)
    assert bench.left == []
    assert not list(bench.objects.list("requests/"))


def test_a_request_that_is_cancelled_while_its_result_is_stored_says_nothing_and_leaves_the_result(
    bench: Bench,
) -> None:
    event = bench.order()
    runner = bench.runner()
    assert runner.handle(event, Cancelling(runner, event, at="store")) == []
    assert restored(bench.runner().handle(bench.order(), RecordingDelivery())).reused


def test_a_request_is_cancelled_within_seconds_although_the_bus_confirms_no_word_of_progress(bench: Bench) -> None:
    class Unconfirmed(Cancelling):
        """Waits for a confirmation that does not come."""

        def publish(self, events: Sequence[Event]) -> None:
            super().publish(events)
            never.wait(10.0)

    event, never = bench.order(), Flag()
    runner = bench.runner(HANG)
    begun = time.monotonic()
    assert runner.handle(event, Unconfirmed(runner, event, at="")) == []
    assert time.monotonic() - begun < 5
    never.set()


def test_a_request_that_was_cancelled_before_starts_nothing(bench: Bench) -> None:
    event = bench.order()
    request = event.data.request  # type: ignore[attr-defined]  # an order has one
    cancel(bench.objects, RequestCancelled(request_id=request.request_id, mous_uid=request.mous_uid, by="vera"))
    assert bench.runner().handle(event, RecordingDelivery()) == []
    assert bench.launcher.started == []

"""A request that is cancelled ends its CASA within seconds, at whatever step, and nothing more is said."""

import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from threading import Event as Flag

import pytest

from contracts.envelope import Event
from contracts.manifests import AsdmManifest
from contracts.messages import RequestCancelled, RestoreOrdered
from contracts.messages.parts import ObjectRef
from services.casa_runner.errors import RestoreInterruptedError
from services.casa_runner.service import CasaRunner
from shared.cancellation import cancel
from shared.errors import DependencyAwayError
from shared.objects.directory import DirectoryStore
from tests.support.casa_bench import HANG, Bench
from tests.support.casa_standin import LARGE_OUTPUT
from tests.support.delivery import RecordingDelivery


def cancelled(order: Event) -> RequestCancelled:
    request = order.data.request  # type: ignore[attr-defined]  # an order has one
    return RequestCancelled(request_id=request.request_id, mous_uid=request.mous_uid, by="vera")


class Cancelling(RecordingDelivery):
    """Somebody cancels the request when a step is said; before the first if the step has no name."""

    def __init__(self, runner: CasaRunner, order: Event, *, at: str) -> None:
        super().__init__()
        self._runner = runner
        self._word = Event.first(cancelled(order), source="/test")
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


class Ending(DirectoryStore):
    """A store whose user ends a restore while the bytes of an object pass, and which counts what passes afterwards."""

    def __init__(self, root: Path, *, at: str) -> None:
        super().__init__(root)
        self._at = at
        self.end: Callable[[], None] | None = None
        self.passed_afterwards = 0

    def fetch_to(self, ref: ObjectRef, path: Path, *, heed: Callable[[], None] | None = None) -> None:
        def at_chunk() -> None:
            self._passes("inputs")
            if heed is not None:
                heed()

        super().fetch_to(ref, path, heed=at_chunk)

    def put(
        self, key: str, chunks: Iterable[bytes], *, expected: ObjectRef | None = None, at_most: int | None = None
    ) -> ObjectRef:
        passing = self._seen(chunks) if key.endswith(".tar") else chunks
        return super().put(key, passing, expected=expected, at_most=at_most)

    def _seen(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self._passes("store")
            yield chunk

    def _passes(self, what: str) -> None:
        if self.end is None:
            self.passed_afterwards += 1
        elif what == self._at:
            self.end()
            self.end = None


@pytest.mark.parametrize(("at", "started"), [("inputs", 0), ("store", 1)])
@pytest.mark.parametrize("why", ["cancelled", "lost", "stopping"])
def test_a_restore_that_is_to_end_ends_with_the_bytes_that_pass_and_leaves_nothing_of_them(
    tmp_path: Path, at: str, started: int, why: str
) -> None:
    store = Ending(tmp_path / "store", at=at)
    bench = Bench(tmp_path, store)
    event, runner, delivery = bench.order(), bench.runner(LARGE_OUTPUT), RecordingDelivery()
    word = Event.first(cancelled(event), source="/test")
    store.end = {"cancelled": lambda: runner.hear(word), "lost": delivery.lost.set, "stopping": runner.close}[why]
    if why == "cancelled":
        assert runner.handle(event, delivery) == []
    else:
        with pytest.raises(RestoreInterruptedError):
            runner.handle(event, delivery)
    assert store.end is None
    assert store.passed_afterwards == 0
    assert len(bench.launcher.started) == started
    assert bench.left == []
    assert [*store.list("products/"), *store.list("requests/"), *(tmp_path / "store" / "tmp").iterdir()] == []


def test_a_restore_that_is_to_end_does_not_start_casa_on_inputs_that_just_came(tmp_path: Path) -> None:
    class AfterAll(DirectoryStore):
        """Ends it when the last of the inputs is there."""

        def fetch_to(self, ref: ObjectRef, path: Path, *, heed: Callable[[], None] | None = None) -> None:
            super().fetch_to(ref, path, heed=heed)
            if ref == last:
                runner.close()

    store = AfterAll(tmp_path / "store")
    bench = Bench(tmp_path, store)
    event, runner = bench.order(), bench.runner()
    assert isinstance(event.data, RestoreOrdered)
    last = AsdmManifest.model_validate_json(store.read(event.data.asdm)).files[-1].ref
    with pytest.raises(RestoreInterruptedError):
        runner.handle(event, RecordingDelivery())
    assert bench.launcher.started == []


def test_a_request_that_is_cancelled_while_its_store_is_away_says_nothing(tmp_path: Path) -> None:
    class Away(Ending):
        """Is away as soon as somebody cancelled."""

        def put(self, key: str, chunks: Iterable[bytes], **options: object) -> ObjectRef:
            ref = super().put(key, chunks)
            if self.end is None:
                raise DependencyAwayError("the store is away")
            return ref

    store = Away(tmp_path / "store", at="store")
    bench = Bench(tmp_path, store)
    event, runner = bench.order(), bench.runner()
    store.end = lambda: runner.hear(Event.first(cancelled(event), source="/test"))
    assert runner.handle(event, RecordingDelivery()) == []


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
    cancel(bench.objects, cancelled(event))
    assert bench.runner().handle(event, RecordingDelivery()) == []
    assert bench.launcher.started == []

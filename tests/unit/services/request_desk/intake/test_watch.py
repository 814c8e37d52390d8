"""Both ways of watching notice what happens; inotify notices it at once."""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Event as Flag

import pytest
from prometheus_client import CollectorRegistry

from contracts.envelope import Event
from services.request_desk.intake.directory import TriggerDirectory
from services.request_desk.intake.metrics import TriggerMetrics
from services.request_desk.intake.trigger_file import request_id_of
from services.request_desk.intake.triggers import Publish, Triggers
from services.request_desk.intake.watch import TriggerWatch, Watching
from shared.errors import DependencyAwayError, MisconfiguredError
from shared.objects import ObjectStore
from tests.contract.bus_harness import Collector
from tests.unit.services.request_desk.intake.trigger_samples import WHOLE

LONG = 3600.0
Make = Callable[..., TriggerWatch]
BOTH = pytest.mark.parametrize("watching", ["inotify", "polling"])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "triggers"
    root.mkdir()
    return root


@pytest.fixture
def make(root: Path, objects: ObjectStore) -> Iterator[Make]:
    made: list[TriggerWatch] = []

    def watch(watching: Watching, *, period: float, settle: float = 0.05, said: Publish | None = None) -> TriggerWatch:
        triggers = Triggers(
            directory=TriggerDirectory(root),
            objects=objects,
            source="/alma-restore/test",
            settle=settle,
            patience=LONG,
            metrics=TriggerMetrics(CollectorRegistry()),
        )
        one = TriggerWatch(triggers=triggers, root=root, watching=watching, period=period, settle=settle)
        made.append(one)
        if said is not None:
            one.begin(said)
        return one

    yield watch
    for one in made:
        one.rest()


def collected(into: Collector[Event]) -> Publish:
    def publish(events: Sequence[Event]) -> None:
        for event in events:
            into(event)

    return publish


@BOTH
@pytest.mark.parametrize("way", ["written", "moved", "there before"])
def test_a_file_is_taken_however_it_came(way: str, watching: Watching, make: Make, root: Path) -> None:
    said = Collector[Event]()
    if way == "there before":
        (root / WHOLE.name).write_bytes(WHOLE.read_bytes())
    make(watching, period=0.05, said=collected(said))
    if way == "written":
        (root / WHOLE.name).write_bytes(WHOLE.read_bytes())
    if way == "moved":
        part = root / ".hidden.part"
        part.write_bytes(WHOLE.read_bytes())
        part.rename(root / WHOLE.name)
    (event,) = said.wait_for(1)
    assert event.subject == "uid://A001/X1296/X675"


@BOTH
def test_a_file_is_not_taken_while_it_is_being_written(watching: Watching, make: Make, root: Path) -> None:
    said = Collector[Event]()
    make(watching, period=0.05, settle=0.05, said=collected(said))
    data = WHOLE.read_bytes()
    with (root / WHOLE.name).open("wb") as file:
        for start in range(0, len(data), 40):
            file.write(data[start : start + 40])
            file.flush()
            os.fsync(file.fileno())
    (event,) = said.wait_for(1)
    assert event.correlationid == request_id_of(WHOLE.name, data)
    assert not (root / "rejected").exists()


def test_inotify_notices_a_closed_file_at_once(make: Make, root: Path) -> None:
    said = Collector[Event]()
    make("inotify", period=LONG, settle=LONG, said=collected(said))
    (root / WHOLE.name).write_bytes(WHOLE.read_bytes())
    assert len(said.wait_for(1)) == 1


def test_who_is_woken_looks_at_once(make: Make, root: Path) -> None:
    said, looked = Collector[Event](), Flag()

    def away_once(events: Sequence[Event]) -> None:
        if not looked.is_set():
            looked.set()
            raise DependencyAwayError("away")
        collected(said)(events)

    (root / WHOLE.name).write_bytes(WHOLE.read_bytes())
    watch = make("polling", period=LONG, settle=0.05, said=away_once)
    assert looked.wait(10)
    watch.wake()
    assert len(said.wait_for(1)) == 1


def test_an_error_that_nobody_foresaw_ends_no_watching(make: Make, root: Path) -> None:
    said = Collector[Event]()
    broken = [RuntimeError("unforeseen")]

    def publish(events: Sequence[Event]) -> None:
        if broken:
            raise broken.pop()
        collected(said)(events)

    (root / WHOLE.name).write_bytes(WHOLE.read_bytes())
    make("polling", period=0.05, said=publish)
    assert len(said.wait_for(1)) == 1


def test_where_inotify_does_not_work_polling_does(make: Make, root: Path) -> None:
    root.rmdir()
    said = Collector[Event]()
    make("auto", period=0.05, said=collected(said))
    root.mkdir()
    (root / WHOLE.name).write_bytes(WHOLE.read_bytes())
    assert len(said.wait_for(1)) == 1


def test_who_insists_on_inotify_is_told_that_it_does_not_work(make: Make, root: Path) -> None:
    root.rmdir()
    with pytest.raises(MisconfiguredError, match="WATCHING=polling"):
        make("inotify", period=LONG, said=lambda _: None)

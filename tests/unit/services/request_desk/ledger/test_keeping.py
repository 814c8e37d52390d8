"""The ledger within the desk: fed by the bus, watched over, its metrics shown."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from threading import Event as Flag
from uuid import UUID

import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from structlog.testing import capture_logs

from contracts.flow import QUEUES
from services.request_desk.ledger.facts import Fact
from services.request_desk.ledger.folding import fold
from services.request_desk.ledger.follower import LedgerFollower
from services.request_desk.ledger.keeping import Keeping, open_ledger
from services.request_desk.ledger.metrics import LedgerMetrics
from services.request_desk.ledger.monitor import Monitor
from services.request_desk.ledger.records import RequestRecord
from services.request_desk.ledger.settings import LedgerSettings
from services.request_desk.ledger.states import RequestState, Step
from services.request_desk.ledger.store import SqlLedger
from services.request_desk.service import build
from services.request_desk.settings import RequestDeskSettings
from shared.bus.following import Said
from shared.bus.memory import MemoryBus
from shared.errors import MisconfiguredError
from shared.metrics import ServiceMetrics
from shared.objects import ObjectStore
from shared.runtime import Runtime
from tests.support.samples import REQUEST
from tests.support.stories import Story
from tests.unit.services.request_desk.ledger.conftest import Clock

ID = REQUEST.request_id


def settings_of(url: str) -> LedgerSettings:
    return LedgerSettings(url=SecretStr(url), look_seconds=0.05)


@contextmanager
def desk_on(bus: MemoryBus, objects: ObjectStore, url: str) -> Iterator[SqlLedger]:
    desk = build(objects=objects, settings=RequestDeskSettings(), ledger=settings_of(url))
    runtime = Runtime(bus=bus, metrics=ServiceMetrics(CollectorRegistry()))
    bus.declare(QUEUES)
    runtime.add(desk)
    reader = SqlLedger(url=url)
    yield reader
    runtime.rest()
    bus.drain(10)
    bus.close()
    desk.close()
    reader.close()


def test_the_desk_takes_every_event_that_is_published(objects: ObjectStore, url: str) -> None:
    story = Story()
    story.refused()
    bus = MemoryBus()
    came = Flag()
    with desk_on(bus, objects, url) as reader:
        end = reader.watch(lambda _id, _change: came.set(), request_id=ID)
        bus.publish(story.events)
        assert came.wait(10)
        end()
    after = SqlLedger(url=url)
    record = after.request(ID)
    after.close()
    assert record is not None
    assert record.state is RequestState.REFUSED


def test_a_desk_without_a_ledger_keeps_none(objects: ObjectStore) -> None:
    desk = build(objects=objects, settings=RequestDeskSettings(), ledger=LedgerSettings(url=None))
    assert desk.is_ready()
    assert desk.take_up_again(lambda events: None) == 0
    desk.close()
    with pytest.raises(MisconfiguredError, match="ALMA_RESTORE_REQUEST_DESK_LEDGER_URL"):
        open_ledger(LedgerSettings(url=None))


def test_what_cannot_be_read_is_kept_aside_and_the_rest_goes_on(ledger: SqlLedger) -> None:
    submitted = Story().submitted()
    LedgerFollower(ledger=ledger).take([Said(b"{"), Said(submitted.encode(), offset=4)])
    assert ledger.request(ID) is not None
    assert ledger.place() == Said(submitted.encode(), offset=4).place
    assert [each.body for each in ledger.unreadable()] == ["{"]


def test_an_event_that_breaks_the_ledger_does_not_keep_the_others_out(
    ledger: SqlLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = Story()
    story.resolved()

    def faulty(request_id: UUID, facts: Sequence[Fact]) -> RequestRecord:
        found = fold(request_id, facts)
        if found.state is RequestState.ACCEPTED:
            raise ZeroDivisionError("a fault of ours")
        return found

    monkeypatch.setattr("services.request_desk.ledger.taking.fold", faulty)
    said = [Said(event.encode(), offset=place) for place, event in enumerate(story.events)]
    LedgerFollower(ledger=ledger).take(said[:2])
    LedgerFollower(ledger=ledger).take(said[2:])
    record = ledger.request(ID)
    assert record is not None
    assert record.state is RequestState.RESOLVED
    assert ["a fault of ours" in each.reason for each in ledger.unreadable()] == [True]
    assert ledger.place() == said[2].place


def test_how_long_requests_took_is_shown_for_those_delivered_in_the_last_day(ledger: SqlLedger, clock: Clock) -> None:
    registry = CollectorRegistry()
    monitor = Monitor(ledger=ledger, metrics=LedgerMetrics(registry), interval=1)

    def shown() -> list[float | None]:
        name = "alma_restore_ledger_delivery_seconds"
        return [registry.get_sample_value(name, {"share": share}) for share in ("0.5", "0.95")]

    monitor.look()
    assert all(value is not None and math.isnan(value) for value in shown())
    for hours, number in ((1, 1), (2, 2), (10, 3)):
        story = Story(request_id=UUID(int=number))
        story.delivered()
        clock.time = story.events[0].time + timedelta(hours=hours)
        said = [
            event.model_copy(update={"time": clock.time}) if event.topic == "delivery.announced" else event
            for event in story.events
        ]
        ledger.record_all(said)
    monitor.look()
    assert shown() == [2 * 3600, 10 * 3600]
    clock.time += timedelta(days=2)
    monitor.look()
    assert all(value is not None and math.isnan(value) for value in shown())


def test_a_stuck_request_is_told_once_and_shown_until_it_goes_forward(ledger: SqlLedger, clock: Clock) -> None:
    registry = CollectorRegistry()
    monitor = Monitor(ledger=ledger, metrics=LedgerMetrics(registry), interval=1)
    story = Story()
    ledger.record(story.submitted())
    clock.time = story.events[0].time + timedelta(hours=1)

    def shown(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"alma_restore_ledger_{name}", labels or None)

    with capture_logs() as logs:
        assert [each.request.id for each in monitor.look()] == [ID]
        monitor.look()
        assert shown("stuck_requests", step="entitlement") == 1
        assert shown("requests", state="submitted") == 1
        assert shown("oldest_seconds", state="submitted") == 3600
        assert shown("steps", step="entitlement") == 1
        story.refused()
        ledger.record_all(story.events[1:])
        assert monitor.look() == ()
    assert shown("stuck_requests", step="entitlement") == 0
    assert shown("oldest_seconds", state="submitted") == 0
    assert [entry["event"] for entry in logs] == ["request_stuck", "request_not_stuck_any_more"]
    assert (logs[0]["step"], logs[0]["log_level"]) == ("entitlement", "error")


def test_the_limits_are_settings(url: str) -> None:
    settings = LedgerSettings(url=SecretStr(url), limit_entitlement=5)
    opened = open_ledger(settings)
    story = Story()
    opened.record(story.submitted())
    assert [each.limit for each in opened.stuck()] == [5]
    assert set(settings.limits()) == set(Step)
    opened.close()


def test_keeping_looks_for_stuck_requests_by_itself(ledger: SqlLedger, clock: Clock) -> None:
    registry = CollectorRegistry()
    ledger.record(Story().submitted())
    keeping = Keeping(ledger=ledger, registry=registry, interval=0.01)
    keeping.begin()
    came = Flag()
    while registry.get_sample_value("alma_restore_ledger_requests", {"state": "submitted"}) != 1:
        assert not came.wait(0.01)
    keeping.rest()
    assert keeping.is_ready()

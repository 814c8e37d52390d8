"""The ledger over RabbitMQ: what was missed while the desk was off, and a rebuild that equals what was there."""

import getpass
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from threading import Event as Flag
from uuid import UUID

import pika
import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from typer.testing import CliRunner

from alma_restore.cli import app
from contracts.envelope import Event
from contracts.flow import QUEUES
from contracts.messages import RequestAccepted
from contracts.messages.parts import Entitlement
from services.request_desk.ledger.metrics import LedgerMetrics
from services.request_desk.ledger.migrating import migrate, newest
from services.request_desk.ledger.monitor import Monitor
from services.request_desk.ledger.rebuilding import rebuild
from services.request_desk.ledger.records import Page, RequestRecord
from services.request_desk.ledger.settings import LedgerSettings
from services.request_desk.ledger.store import SqlLedger
from services.request_desk.service import RequestDesk, build
from services.request_desk.settings import RequestDeskSettings
from shared.bus import Delivery, Subscription
from shared.bus.rabbitmq import RabbitBus
from shared.metrics import ServiceMetrics
from shared.objects import ObjectStore
from shared.objects.directory import DirectoryStore
from shared.runtime import Runtime
from tests.contract.bus_harness import QUICK
from tests.contract.bus_rabbit import RabbitHarness
from tests.contract.ledger_harness import postgresql_url, sqlite_url
from tests.support.kustomized import container_of, examples_of_secrets
from tests.support.postgresql import PostgresServer
from tests.support.rabbitmq import RabbitServer
from tests.support.stories import BLOCKS, Story, stories

IDS = tuple(UUID(int=number) for number in range(1, 13))


@pytest.fixture
def rabbit(rabbit_server: RabbitServer) -> Iterator[RabbitHarness]:
    harness = RabbitHarness(rabbit_server.url)
    yield harness
    harness.close()


@pytest.fixture
def objects(tmp_path: Path) -> Iterator[ObjectStore]:
    store = DirectoryStore(tmp_path / "objects")
    yield store
    store.close()


class Desk:
    """A desk at work, and its ledger."""

    def __init__(self, rabbit: RabbitHarness, objects: ObjectStore, url: str) -> None:
        self.service: RequestDesk = build(
            objects=objects, settings=RequestDeskSettings(), ledger=LedgerSettings(url=SecretStr(url))
        )
        self.bus = RabbitBus(settings=rabbit.settings, retry=QUICK)
        self.ledger = SqlLedger(url=url)
        self._runtime = Runtime(bus=self.bus, metrics=ServiceMetrics(CollectorRegistry()))
        self.bus.declare(QUEUES)
        self._runtime.add(self.service)

    def wait_for(self, number: int) -> None:
        """Wait until so many events of the journal are taken."""
        came = Flag()
        end = self.ledger.watch(lambda _id, _change: came.set())
        for _ in range(200):
            if (place := self.ledger.place()) is not None and place.offset + 1 >= number:
                break
            came.wait(0.2)
            came.clear()
        else:
            raise AssertionError(f"only {self.ledger.place()} of {number} events were taken")
        end()

    def stop(self) -> None:
        self._runtime.rest()
        self.bus.drain(10)
        self.bus.close()
        self.service.close()
        self.ledger.close()


def known(ledger: SqlLedger) -> dict[UUID, RequestRecord]:
    page = ledger.requests(page=Page(size=1000))
    return {record.id: record.model_copy(update={"change": 0}) for record in page.requests}


def some_events(seed: int) -> list[Event]:
    """Events of many requests, mixed up, some of them twice."""
    events = [event for story in stories(IDS) for event in story.events]
    events += events[::5]
    Random(seed).shuffle(events)
    return events


def test_a_rebuilt_ledger_equals_the_old_one(
    rabbit: RabbitHarness, objects: ObjectStore, tmp_path: Path, postgres_server: PostgresServer
) -> None:
    events = some_events(1)
    desk = Desk(rabbit, objects, sqlite_url(tmp_path))
    for start in range(0, len(events), 50):
        desk.bus.publish(events[start : start + 50])
    desk.wait_for(len(events))
    old = known(desk.ledger)
    assert old.keys() == set(IDS)
    assert all(record.missing_causes == () for record in old.values())
    url = postgresql_url(postgres_server)
    migrate(url)
    other = SqlLedger(url=url)
    done = rebuild(other, settings=rabbit.settings)
    assert (done.read, done.otherwise) == (len(events), 0)
    assert known(other) == old
    assert known(desk.ledger) == old
    again = rebuild(other, settings=rabbit.settings, empty=True)
    assert again.read == len(events)
    assert known(other) == old
    assert [line.id for line in other.timeline(IDS[0])] == [line.id for line in desk.ledger.timeline(IDS[0])]
    other.close()
    desk.stop()


def test_an_event_that_nobody_takes_grows_older_for_all_to_see_until_somebody_does(
    rabbit: RabbitHarness, objects: ObjectStore, tmp_path: Path
) -> None:
    desk, registry = Desk(rabbit, objects, sqlite_url(tmp_path)), CollectorRegistry()
    story = Story(began=datetime.now(UTC) - timedelta(hours=1))
    desk.bus.publish([story.submitted()])
    desk.wait_for(1)
    hours_later = [0]
    ledger = SqlLedger(url=sqlite_url(tmp_path), now=lambda: story.events[0].time + timedelta(hours=hours_later[0]))
    monitor = Monitor(ledger=ledger, metrics=LedgerMetrics(registry), interval=1)

    def age(queue: str) -> float | None:
        monitor.look()
        return registry.get_sample_value("alma_restore_ledger_waiting_seconds", {"queue": queue})

    for hours_later[0] in (1, 2):
        assert [depth.ready for depth in desk.bus.depths(["entitlement-checker"])] == [1]
        assert age("entitlement-checker") == hours_later[0] * 3600

    def accept(event: Event, _: Delivery) -> list[Event]:
        return [event.derive(RequestAccepted(request=story.request, entitlement=Entitlement.PI), source="/test")]

    desk.bus.subscribe(Subscription(queue="entitlement-checker", topics=QUEUES["entitlement-checker"], handler=accept))
    desk.wait_for(2)
    assert age("entitlement-checker") == 0
    ledger.close()
    desk.stop()


def test_a_desk_that_was_off_holds_nobody_up_and_knows_afterwards_what_happened(
    rabbit: RabbitHarness, objects: ObjectStore, tmp_path: Path
) -> None:
    url = sqlite_url(tmp_path)
    first = Desk(rabbit, objects, url)
    events = some_events(2)
    first.bus.publish(events[:40])
    first.wait_for(40)
    first.stop()
    others = RabbitBus(settings=rabbit.settings, retry=QUICK)
    others.publish(events[40:])
    depths = {depth.queue: depth.ready for depth in others.depths(["request-desk"])}
    assert depths["request-desk"] <= sum(event.topic in QUEUES["request-desk"] for event in events)
    others.close()
    second = Desk(rabbit, objects, url)
    second.wait_for(len(events))
    assert known(second.ledger).keys() == set(IDS)
    assert second.ledger.counts().missed == 0
    second.stop()


def test_a_desk_that_was_off_misses_nothing_of_a_new_journal_that_is_longer_than_what_it_read_of_the_old_one(
    rabbit: RabbitHarness, objects: ObjectStore, tmp_path: Path
) -> None:
    url = sqlite_url(tmp_path)
    first = Desk(rabbit, objects, url)
    events = some_events(3)
    first.bus.publish(events[:20])
    first.wait_for(20)
    first.stop()
    with pika.BlockingConnection(rabbit.settings.parameters("test")) as connection:
        connection.channel().queue_delete(rabbit.names.journal)
    others = rabbit.bus()
    others.declare(QUEUES)
    others.publish(events[20:])
    second = Desk(rabbit, objects, url)
    second.wait_for(len(events) - 20)
    assert all(record.missing_causes == () for record in known(second.ledger).values())
    assert second.ledger.counts().missed == 0
    second.stop()


def test_the_command_migrates_rebuilds_shows_what_is_stuck_and_sends_it_on(
    rabbit: RabbitHarness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = sqlite_url(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    run = CliRunner().invoke
    # As the Job of Kubernetes does, with what it is given and no more.
    job = container_of("migrate-ledger.yaml")
    given = {k: v for each in job["envFrom"] for k, v in examples_of_secrets()[each["secretRef"]["name"]].items()}
    for name, value in (given | {"ALMA_RESTORE_REQUEST_DESK_LEDGER_URL": url}).items():
        assert name in given
        monkeypatch.setenv(name, value)
    assert f"Migrated from nothing to {newest()}" in run(app, job["args"]).output
    assert f"those of this release: {newest()}" in run(app, job["args"]).output
    monkeypatch.setenv("ALMA_RESTORE_BUS__URL", rabbit.settings.url.get_secret_value())
    monkeypatch.setenv("ALMA_RESTORE_BUS__PREFIX", rabbit.settings.prefix)
    bus = rabbit.bus()
    bus.declare(QUEUES)
    assert "0 events read; 0 requests" in run(app, ["ledger", "rebuild"]).output
    assert run(app, ["ledger", "stuck"]).exit_code == 0
    story = Story(blocks=BLOCKS[:1])
    order = story.ordered(story.fetched(story.resolved(), BLOCKS[0]), BLOCKS[0])
    bus.publish(story.events)
    assert f"{len(story.events)} events read; 1 requests" in run(app, ["ledger", "rebuild"]).output
    shown = run(app, ["ledger", "stuck"])
    assert shown.exit_code == 1
    request, step = shown.stdout.splitlines()
    assert request == f"{story.request.request_id}  {story.request.mous_uid}"
    assert step.startswith(f"    queue of {BLOCKS[0]}: for ")
    assert step.endswith(" h, limit 24.0 h")
    heard, came = list[UUID](), Flag()

    def hear(event: Event) -> None:
        heard.append(event.id)
        if event.id == order.id:
            came.set()

    bus.listen(hear)
    arguments = ["ledger", "try-now", str(story.request.request_id)]
    assert run(app, [*arguments, "--reason", " "]).exit_code == 2
    assert "1 event sent on again" in run(app, [*arguments, "--reason", "the runner is back"]).output
    assert came.wait(15)
    run(app, ["ledger", "rebuild"])
    ledger = SqlLedger(url=url)
    record = ledger.request(story.request.request_id)
    ledger.close()
    assert run(app, ["ledger", "stuck"]).stdout.endswith(f" limit 24.0 h, sent on again by {getpass.getuser()}\n")
    assert record is not None
    assert [each.reason for each in record.resent] == ["the runner is back"]
    assert record.resent[0].events == (order.id,)
    unknown = run(app, ["ledger", "try-now", str(UUID(int=0)), "--reason", "x"])
    assert unknown.exit_code == 2

"""Releases side by side: what an earlier one said is read by today's services at work."""

import copy
import json
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event as Flag
from typing import Any

import pytest

from contracts.envelope import Event
from contracts.flow import QUEUES
from services.casa_runner.service import build as build_casa_runner
from services.casa_runner.settings import CasaRunnerSettings
from services.entitlement_checker.service import build as build_checker
from services.entitlement_checker.settings import EntitlementCheckerSettings
from services.metadata_resolver.service import build as build_resolver
from services.metadata_resolver.settings import MetadataResolverSettings
from services.ngas_fetcher.service import build as build_fetcher
from services.ngas_fetcher.settings import NgasFetcherSettings
from services.notifier.service import build as build_notifier
from services.ppr_builder.service import build as build_ppr_builder
from services.ppr_builder.settings import PprBuilderSettings
from services.request_desk.ledger.migrating import migrate
from services.request_desk.ledger.store import SqlLedger
from services.request_desk.service import build as build_desk
from services.request_desk.settings import RequestDeskSettings
from shared.bus import DeadLetter, RetryPolicy
from shared.bus.handling import SENDERS_FAULT, Outcome, Past, handle
from shared.objects.directory import DirectoryStore
from shared.service import Service
from tests.support.archive_tables import ArchiveTables
from tests.support.released import Release, releases
from tests.unit.services.notifier.samples import settings as notifier_settings

SAID = [
    pytest.param(release, service, topic, id=f"{release.version}-{service}-{topic}")
    for release in releases()
    for service, topics in QUEUES.items()
    for topic in topics
    if any(name.endswith(f".{topic}.v1") for name in release.messages)
]
NOT_UNDERSTOOD = SENDERS_FAULT | {"unexpected"}
ONE_TRY = RetryPolicy(unexpected_attempts=1)


class FirstDelivery:
    """The first delivery of an event, on a bus where nobody else listens."""

    attempt = 1

    def __init__(self) -> None:
        self.lost = Flag()
        self.said: list[Event] = []

    def publish(self, events: Sequence[Event]) -> None:
        self.said += events


@contextmanager
def all_services(folder: Path) -> Iterator[list[Service]]:
    """Build every service on the lightest surroundings that it has."""
    objects, tables = DirectoryStore(folder / "objects"), ArchiveTables(folder)
    tables.fill()
    for name in ("triggers", "locations", "scratch"):
        (folder / name).mkdir()
    database = tables.settings()
    services: list[Service] = [
        build_desk(objects=objects, settings=RequestDeskSettings(triggers=folder / "triggers")),
        build_checker(objects=objects, settings=EntitlementCheckerSettings(database=database)),
        build_resolver(objects=objects, settings=MetadataResolverSettings(database=database)),
        build_fetcher(
            objects=objects,
            settings=NgasFetcherSettings(
                hosts=("127.0.0.1:9",), location_directory=folder / "locations", connect_timeout=1.0, backoff=0.0
            ),
        ),
        build_ppr_builder(objects=objects, settings=PprBuilderSettings()),
        build_casa_runner(objects=objects, settings=CasaRunnerSettings(scratch=folder / "scratch")),
        build_notifier(objects=objects, settings=notifier_settings(folder)),
    ]
    try:
        yield services
    finally:
        for service in services:
            service.close()
        objects.close()
        tables.close()


def outcome_of(body: bytes, *, service: str, topic: str, folder: Path) -> Outcome:
    with all_services(folder) as services:
        (subscription,) = (
            each for one in services if one.name == service for each in one.subscriptions() if topic in each.topics
        )
        return handle(
            lambda: Event.decode(body), FirstDelivery(), subscription=subscription, policy=ONE_TRY, past=Past()
        ).outcome


def said_before(release: Release, topic: str) -> Any:
    return copy.deepcopy(release.messages[f"org.alma-restore.{topic}.v1"])


def test_every_topic_that_a_service_takes_is_tried() -> None:
    assert {case.values[2] for case in SAID} == {topic for topics in QUEUES.values() for topic in topics}


@pytest.mark.parametrize(("release", "service", "topic"), SAID)
def test_what_an_earlier_release_said_is_understood_by_the_service_that_takes_it(
    release: Release, service: str, topic: str, tmp_path: Path
) -> None:
    body = json.dumps(said_before(release, topic)).encode()
    outcome = outcome_of(body, service=service, topic=topic, folder=tmp_path)
    assert not (isinstance(outcome, DeadLetter) and outcome.code in NOT_UNDERSTOOD), outcome


@pytest.mark.parametrize("release", releases(), ids=lambda release: str(release.version))
def test_whatever_an_earlier_release_said_is_folded_into_the_ledger(release: Release, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    migrate(url)
    said = [Event.decode(json.dumps(message).encode()) for message in release.messages.values()]
    with closing(SqlLedger(url=url)) as ledger:
        assert [event.type for event in said if not ledger.record(event)] == []
        of_requests = {event.correlationid for event in said}
        assert {each for each in of_requests if ledger.request(each) is None} == set()


def test_a_member_that_is_missing_is_noticed(tmp_path: Path) -> None:
    said = said_before(releases()[0], "restore.ordered")
    del said["data"]["eb_uid"]
    outcome = outcome_of(json.dumps(said).encode(), service="casa-runner", topic="restore.ordered", folder=tmp_path)
    assert isinstance(outcome, DeadLetter)
    assert outcome.code in NOT_UNDERSTOOD

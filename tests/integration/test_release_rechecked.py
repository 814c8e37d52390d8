"""Entitlement is asked again just before the release: dates and states move while the work goes on."""

from collections.abc import Callable, Sequence
from pathlib import Path
from queue import SimpleQueue
from threading import Event as Flag
from uuid import uuid4

import pytest
from sqlalchemy import Connection, delete

from alma_restore.embedded import Embedded
from contracts.envelope import Event
from contracts.messages import ProductsReady, ReleaseGranted, ReleaseWithheld, StructureResolved
from contracts.messages.parts import RestoreRequest, Selection
from contracts.reasons import ReasonCode
from observatory import metadata_demo as demo
from observatory.metadata import set_release_date, set_state
from services.entitlement_checker import service as entitlement_checker
from services.entitlement_checker.settings import EntitlementCheckerSettings
from services.metadata_resolver import service as metadata_resolver
from services.metadata_resolver.settings import MetadataResolverSettings
from shared.archive_db.tables import PROJECT_DELEGEE
from shared.bus import Delivery, Subscription
from shared.objects import DirectorySettings, open_store
from shared.service import Service
from tests.support.archive_tables import ArchiveTables
from tests.support.samples import BLOCK

Change = Callable[[Connection], object]


class RestOfTheWay:
    """Stands for everything between structure and result; it works until the test lets it end."""

    name = "rest-of-the-way"

    def __init__(self) -> None:
        self.working = Flag()
        self.may_end = Flag()

    def subscriptions(self) -> Sequence[Subscription]:
        return [Subscription(queue=self.name, topics=(StructureResolved.topic,), handler=self.handle)]

    def handle(self, event: Event, _delivery: Delivery) -> list[Event]:
        assert isinstance(event.data, StructureResolved)
        self.working.set()
        assert self.may_end.wait(10)
        blocks = tuple(BLOCK.model_copy(update={"eb_uid": block}) for block in event.data.structure.execution_blocks)
        return [event.conclude(ProductsReady(request=event.data.request, blocks=blocks), source="/test")]

    def is_ready(self) -> bool:
        return True

    def close(self) -> None:
        self.may_end.set()


def verdict_after(
    tables: ArchiveTables, folder: Path, request: RestoreRequest, change: Change | None
) -> ReleaseGranted | ReleaseWithheld:
    """Run the whole way, change the tables while the work goes on, and return how it ends."""
    objects = open_store(DirectorySettings(root=folder / "objects"))
    work, ends = RestOfTheWay(), SimpleQueue[ReleaseGranted | ReleaseWithheld]()
    database = tables.settings()
    services: list[Service] = [
        entitlement_checker.build(objects=objects, settings=EntitlementCheckerSettings(database=database)),
        metadata_resolver.build(objects=objects, settings=MetadataResolverSettings(database=database)),
        work,
    ]

    def note(event: Event) -> None:
        if isinstance(event.data, ReleaseGranted | ReleaseWithheld):
            ends.put(event.data)

    with Embedded(services=services, objects=objects) as house:
        house.listen(note)
        house.submit(request)
        assert work.working.wait(10)
        if change is not None:
            tables.change(change)
        work.may_end.set()
        return ends.get(timeout=10)


def asked(email: str, *, public: bool = False, calibrators: bool = False) -> RestoreRequest:
    mous = demo.CORRUPTED if public else demo.MOUS
    return RestoreRequest(
        request_id=uuid4(),
        project_code=mous.project.code,
        mous_uid=mous.uid,
        user_name="Anybody",
        user_email=email,
        ticket="16140",
        selection=Selection(calibrator_fields=demo.CALIBRATOR_FIELDS if calibrators else ()),
    )


def claw_back(connection: Connection) -> None:
    set_release_date(connection, demo.CORRUPTED, demo.PROPRIETARY)


def begin_qa3(connection: Connection) -> None:
    set_state(connection, demo.MOUS.uid, "QA3InProgress")


def end_delegation(connection: Connection) -> None:
    connection.execute(delete(PROJECT_DELEGEE))


@pytest.mark.parametrize(
    ("request_", "change", "reason"),
    [
        (asked(demo.STRANGER.email, public=True), claw_back, ReasonCode.NOT_ENTITLED),
        (asked(demo.PI.email), begin_qa3, ReasonCode.QA3_IN_PROGRESS),
        (asked(demo.STRANGER.email, calibrators=True), begin_qa3, ReasonCode.QA3_IN_PROGRESS),
        (asked(demo.DELEGEE.email), end_delegation, ReasonCode.NOT_ENTITLED),
    ],
    ids=["clawed back", "QA3 began", "QA3 began, calibrators", "delegation ended"],
)
def test_what_moves_while_the_work_goes_on_stops_the_delivery(
    tables: ArchiveTables, tmp_path: Path, request_: RestoreRequest, change: Change, reason: ReasonCode
) -> None:
    verdict = verdict_after(tables, tmp_path, request_, change)
    assert isinstance(verdict, ReleaseWithheld)
    assert verdict.reason is reason
    assert verdict.request == request_


@pytest.mark.parametrize(
    ("request_", "change"),
    [
        (asked(demo.PI.email), None),
        (asked(demo.PI.email, public=True), claw_back),
        (asked(demo.STRANGER.email, calibrators=True), end_delegation),
    ],
    ids=["nothing moved", "clawed back, but the PI asks", "calibrators need no entitlement"],
)
def test_what_moves_without_touching_the_right_to_the_data_stops_nothing(
    tables: ArchiveTables, tmp_path: Path, request_: RestoreRequest, change: Change | None
) -> None:
    verdict = verdict_after(tables, tmp_path, request_, change)
    assert isinstance(verdict, ReleaseGranted)
    assert verdict.blocks

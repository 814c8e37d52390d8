"""The web server begins and rests with the service, beside its bus."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from contracts.envelope import Event
from contracts.flow import QUEUES
from services.request_desk.deliveries.settings import DeliveriesSettings
from services.request_desk.ledger.settings import LedgerSettings
from services.request_desk.service import RequestDesk, build
from services.request_desk.settings import RequestDeskSettings
from services.request_desk.web.settings import LocalSignIn, WebSettings
from shared.bus.memory import MemoryBus
from shared.errors import MisconfiguredError
from shared.metrics import ServiceMetrics
from shared.objects import ObjectStore
from shared.runtime import Runtime
from tests.contract.bus_harness import Collector
from tests.support.browser import Browser
from tests.support.desk_site import MOUS

KEY = "the key of this machine"


def settings(**more: object) -> RequestDeskSettings:
    return RequestDeskSettings(
        web=WebSettings(port=0, sign_in=LocalSignIn(key=KEY)),
        deliveries=DeliveriesSettings(way="stream"),
    ).model_copy(update=more)


@pytest.fixture
def desk(objects: ObjectStore, tmp_path: Path) -> Iterator[RequestDesk]:
    ledger = LedgerSettings(url=f"sqlite:///{tmp_path / 'ledger.db'}")
    desk = build(objects=objects, settings=settings(), ledger=ledger)
    yield desk
    desk.close()


def test_what_is_submitted_over_http_is_said_on_the_bus_and_shown(desk: RequestDesk, objects: ObjectStore) -> None:
    bus, heard = MemoryBus(), Collector[Event]()
    bus.declare(QUEUES)
    bus.listen(heard)
    runtime = Runtime(bus=bus, metrics=ServiceMetrics(CollectorRegistry()), objects=objects)
    with capture_logs() as logs:
        runtime.add(desk)
    (began,) = [entry for entry in logs if entry["event"] == "web_server_began"]
    with Browser(began["address"], token=KEY) as browser:
        answer = browser.post("/api/v1/requests", json={"project_code": "2017.1.00886.L", "mous_uids": [MOUS]})
        (submitted,) = answer.json()["requests"]
        (event,) = heard.wait_for(1)
        assert str(event.correlationid) == submitted["request_id"]
        queues = browser.get("/api/v1/operations/queues").json()
        assert {each["queue"]: each["ready"] for each in queues}["entitlement-checker"] == 1
        assert desk.is_ready()
        runtime.rest()
        assert not desk.is_ready()
    bus.drain(5)
    bus.close()


def test_the_key_of_a_start_is_logged_and_opens_the_door(objects: ObjectStore, tmp_path: Path) -> None:
    ledger = LedgerSettings(url=f"sqlite:///{tmp_path / 'ledger.db'}")
    desk = build(objects=objects, settings=settings(web=WebSettings(port=0)), ledger=ledger)
    with capture_logs() as logs:
        desk.begin(lambda _: None)
    (told,) = [entry["address"] for entry in logs if entry["event"] == "local_sign_in"]
    base, _, path = told.partition("/sign-in")
    with Browser(base) as browser:
        assert browser.get(f"/sign-in{path}").status == 303
        assert browser.get("/api/v1/me").json()["account"] == "local"
    desk.close()


def test_without_a_ledger_there_is_nothing_to_serve(objects: ObjectStore) -> None:
    with pytest.raises(MisconfiguredError, match="LEDGER_URL"):
        build(objects=objects, settings=settings(), ledger=LedgerSettings(url=None))


def test_a_port_that_is_taken_is_said(desk: RequestDesk, objects: ObjectStore, tmp_path: Path) -> None:
    assert desk._web is not None
    taken = int(desk._web.base_url.rpartition(":")[2])
    ledger = LedgerSettings(url=f"sqlite:///{tmp_path / 'other.db'}")
    with pytest.raises(MisconfiguredError, match="cannot listen"):
        build(objects=objects, settings=settings(web=WebSettings(port=taken)), ledger=ledger)

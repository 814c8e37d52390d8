"""The deliveries of a desk with its ledger: what is under way, what is counted, and what is said in time."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from threading import Event as Flag

import pytest
from pydantic import ValidationError

from contracts.envelope import Event
from contracts.messages import (
    DeliveryExpired,
    DeliveryRenewed,
    RequestAccepted,
    RequestCancelled,
    RequestSubmitted,
    StructureResolved,
)
from contracts.messages.parts import Entitlement
from services.request_desk.deliveries.base import Asker, RenewalRefusedError
from services.request_desk.deliveries.idle import Work
from services.request_desk.deliveries.opening import DeliveryDesk, open_deliveries, work_of
from services.request_desk.deliveries.settings import DeliveriesSettings
from services.request_desk.ledger.migrating import migrate
from services.request_desk.ledger.store import SqlLedger
from shared.objects import ObjectStore
from tests.support.deliveries import DeliverySite
from tests.support.samples import EB, MOUS, REQUEST, REQUEST_ID, STRUCTURE


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqlLedger]:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    migrate(url)
    ledger = SqlLedger(url=url)
    yield ledger
    ledger.close()


@pytest.fixture
def site(objects: ObjectStore) -> DeliverySite:
    return DeliverySite(objects)


def opened(site: DeliverySite, ledger: SqlLedger, **settings: object) -> DeliveryDesk:
    return open_deliveries(
        objects=site.objects,
        ledger=ledger,
        records=None,
        settings=DeliveriesSettings.model_validate(settings),
        clock=lambda: site.now,
    )


class Heard:
    """What was published, awaited."""

    def __init__(self, count: int) -> None:
        self.events: list[Event] = []
        self._count = count
        self._all = Flag()

    def publish(self, events: Sequence[Event]) -> None:
        self.events += events
        if len(self.events) >= self._count:
            self._all.set()

    def wait(self) -> list[Event]:
        assert self._all.wait(20)
        return self.events


def test_requests_under_way_are_those_that_the_ledger_knows_as_active(ledger: SqlLedger) -> None:
    assert work_of(ledger) == Work()
    submitted = Event.first(RequestSubmitted(request=REQUEST), source="/test")
    accepted = submitted.derive(RequestAccepted(request=REQUEST, entitlement=Entitlement.PI), source="/test")
    for event in (
        submitted,
        accepted,
        accepted.derive(StructureResolved(request=REQUEST, structure=STRUCTURE), source="/test"),
    ):
        ledger.record(event)
    assert work_of(ledger) == Work(
        requests=frozenset({str(REQUEST_ID)}), blocks=frozenset({EB.file_form}), mous=frozenset({MOUS.file_form})
    )
    cancelled = RequestCancelled(request_id=REQUEST_ID, mous_uid=MOUS, by="vrubin")
    ledger.record(Event.first(cancelled, source="/test"))
    assert work_of(ledger) == Work()


def test_a_download_is_counted_in_the_ledger(site: DeliverySite, ledger: SqlLedger) -> None:
    file = site.product(1)
    manifest = site.deliver(1, [file])
    desk = opened(site, ledger).deliveries
    desk.start(desk.look(manifest.token, file.name), asker=Asker(account="vrubin", client="127.0.0.1"))
    (noted,) = ledger.downloads(manifest.request.request_id)
    assert (noted.file, noted.by, noted.client, noted.offset) == (file.name, "vrubin", "127.0.0.1", 0)


def test_a_renewal_is_said_at_once_and_rounds_are_done_in_time(site: DeliverySite, ledger: SqlLedger) -> None:
    renewed, over = site.deliver(1, [site.product(1)]), site.deliver(2, [site.product(2)], days=1)
    site.later(days=2)
    desk = opened(site, ledger, round_seconds=0.2, product_days=90)
    heard = Heard(2)
    desk.watch.begin(heard.publish)
    desk.deliveries.renew(renewed.token, by="vrubin\r\nBcc: x")
    said = heard.wait()
    desk.watch.rest()
    assert {type(event.data) for event in said} == {DeliveryRenewed, DeliveryExpired}
    (renewal,) = (event.data for event in said if isinstance(event.data, DeliveryRenewed))
    assert renewal.by == "vrubin Bcc: x"
    assert over.token not in list(site.register.tokens())


def test_a_desk_that_is_not_to_expire_does_no_rounds_but_says_renewals(site: DeliverySite, ledger: SqlLedger) -> None:
    over, kept = site.deliver(1, [site.product(1)], days=1), site.deliver(2, [site.product(2)])
    site.later(days=2)
    desk = opened(site, ledger, round_seconds=0.05, expire=False)
    heard = Heard(1)
    desk.watch.begin(heard.publish)
    desk.deliveries.renew(kept.token, by="vrubin")
    heard.wait()
    desk.watch.rest()
    assert over.token in list(site.register.tokens())


def test_the_delivery_of_a_request_is_found_and_shown_with_lines_to_copy(site: DeliverySite, ledger: SqlLedger) -> None:
    file = site.product(1)
    manifest = site.deliver(1, [file])
    desk = opened(site, ledger).deliveries
    view = desk.of_request(manifest.request.request_id)
    assert view is not None
    assert view == desk.find(manifest.token)
    links = f"{manifest.address}/{file.name} {manifest.address}/README.txt"
    assert view.commands is not None
    assert view.commands.wget == f"wget -c {links}"
    assert view.commands.curl == f"curl -L --fail -C - --remote-name-all {links}"
    assert view.commands.aria2 == f"aria2c -c -x 4 -Z {links}"
    assert view.size == sum(one.size for one in view.files)
    assert desk.of_request(REQUEST_ID) is None


def test_a_renewal_beyond_the_longest_time_is_refused_and_changes_nothing(
    site: DeliverySite, ledger: SqlLedger
) -> None:
    manifest = site.deliver(1, [site.product(1)])
    desk = opened(site, ledger, longest_days=60).deliveries
    with pytest.raises(RenewalRefusedError, match="at most"):
        desk.renew(manifest.token, by="vrubin", until=site.now + timedelta(days=61))
    assert desk.find(manifest.token).expires == manifest.expires


def test_a_link_may_not_outlive_what_it_leads_to() -> None:
    with pytest.raises(ValidationError, match="outlive"):
        DeliveriesSettings(link_seconds=7201, grace_seconds=7200)
    assert DeliveriesSettings(way="stream", link_seconds=7201, grace_seconds=7200).way == "stream"

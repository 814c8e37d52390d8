"""What rounds of the expirer do to deliveries and to what lies in the store."""

from datetime import timedelta
from pathlib import Path

import pytest

from contracts.messages import DeliveryExpired, DeliveryExpiring, DeliveryRenewed
from services.request_desk.deliveries.base import DeliveryExpiredError, DeliveryPhase, RenewalRefusedError
from services.request_desk.deliveries.idle import Work
from services.request_desk.deliveries.units import product_of
from shared import deliveries, keys
from shared.objects import ObjectStore
from shared.objects.lease import LeaseHeldError, Leases
from tests.support.deliveries import DeliverySite, block_of


@pytest.fixture
def site(objects: ObjectStore) -> DeliverySite:
    return DeliverySite(objects)


def test_a_delivery_is_reminded_of_then_closed_then_its_data_are_removed_and_that_is_said(site: DeliverySite) -> None:
    file = site.product(1)
    manifest = site.deliver(1, [file])
    site.later(days=20)
    site.rounds(2)
    assert site.said == []
    site.later(days=1)
    site.rounds(2)
    (reminded,) = site.messages()
    assert isinstance(reminded, DeliveryExpiring)
    assert (reminded.request, reminded.address, reminded.expires) == (
        manifest.request,
        manifest.address,
        manifest.expires,
    )
    site.later(days=7)
    site.rounds(1, hours=1)
    assert site.has(file)
    assert site.desk.find(manifest.token).phase is DeliveryPhase.EXPIRED
    site.rounds(3, hours=2)
    assert not site.has(file)
    (_, ended) = site.messages()
    assert isinstance(ended, DeliveryExpired)
    assert (ended.removed, ended.still_used, ended.freed) == ((file.name,), (), file.ref.size)
    assert site.keys(deliveries.FOLDER) == site.keys("products/") == site.keys("hidden/") == []
    gone = site.desk.find(manifest.token)
    assert (gone.phase, gone.commands) == (DeliveryPhase.REMOVED, None)
    assert gone.removed is not None


def test_a_product_stays_until_the_last_delivery_that_uses_it_has_ended(site: DeliverySite) -> None:
    shared, own = site.product(1), site.product(2)
    site.deliver(1, [shared, own])
    site.later(days=10)
    second = site.deliver(2, [shared])
    site.later(days=19)
    site.rounds(3)
    assert (site.has(shared), site.has(own)) == (True, False)
    ended = [message for message in site.messages() if isinstance(message, DeliveryExpired)]
    assert [(one.removed, one.still_used) for one in ended] == [((own.name,), (shared.name,))]
    assert site.desk.look(second.token, shared.name).file.sha256 == shared.ref.sha256
    site.later(days=10)
    site.rounds(3)
    assert not site.has(shared)


def test_a_renewed_delivery_stays_and_a_renewal_is_said_once(site: DeliverySite) -> None:
    file = site.product(1)
    manifest = site.deliver(1, [file])
    site.later(days=27)
    site.desk.renew(manifest.token, by="vrubin")
    site.desk.renew(manifest.token, by="vrubin")
    site.rounds(2)
    renewals = [message for message in site.messages() if isinstance(message, DeliveryRenewed)]
    assert [(one.by, one.expires - manifest.created) for one in renewals] == [("vrubin", timedelta(days=55))]
    site.later(days=25)
    site.rounds(2)
    assert site.has(file)
    site.later(days=4)
    site.rounds(3)
    assert not site.has(file)
    with pytest.raises((RenewalRefusedError, DeliveryExpiredError)):
        site.desk.renew(manifest.token, by="vrubin")


def test_a_kept_delivery_stays_until_that_is_taken_back(site: DeliverySite) -> None:
    file = site.product(1)
    manifest = site.deliver(1, [file])
    assert site.desk.keep(manifest.token, by="operator", kept=True).kept == "operator"
    site.later(days=400)
    site.rounds(3)
    assert site.has(file)
    assert site.desk.look(manifest.token, file.name).ref == file.ref
    site.desk.keep(manifest.token, by="operator", kept=False)
    site.rounds(3)
    assert not site.has(file)


def test_a_delivery_that_has_ended_is_not_kept_any_more(site: DeliverySite) -> None:
    manifest = site.deliver(1, [site.product(1)])
    site.later(days=28)
    site.rounds(1)
    with pytest.raises(RenewalRefusedError, match="request them again"):
        site.desk.keep(manifest.token, by="operator", kept=True)
    assert not [message for message in site.messages() if isinstance(message, DeliveryRenewed)]


def test_a_file_donotremove_in_the_delivery_area_keeps_a_delivery(objects: ObjectStore, tmp_path: Path) -> None:
    site = DeliverySite(objects, area=tmp_path / "area")
    file = site.product(1)
    manifest = site.deliver(1, [file])
    mark = tmp_path / "area" / manifest.token / ".donotremove"
    mark.parent.mkdir(parents=True)
    mark.touch()
    site.later(days=40)
    site.rounds(3)
    assert site.has(file)
    assert site.desk.find(manifest.token).kept == "file .donotremove"
    mark.unlink()
    site.rounds(3)
    assert not site.has(file)


def test_what_is_in_work_is_left_alone(site: DeliverySite, objects: ObjectStore) -> None:
    file = site.product(1)
    site.later(days=60)
    site.rounds(1)
    site.later(days=60)
    with Leases(objects=objects).held(product_of(file.ref.key), owner="casa-runner", ttl=timedelta(seconds=60)):
        site.rounds(4)
        assert site.has(file)
    site.work = Work(blocks=frozenset({block_of(1).file_form}))
    site.later(days=60)
    site.rounds(4)
    assert site.has(file)
    site.work = Work()
    site.rounds(1)
    site.later(days=60)
    site.rounds(3)
    assert not site.has(file)


def test_what_was_found_just_before_it_was_hidden_is_brought_back(site: DeliverySite) -> None:
    file = site.product(1)
    whole = site.keys("products/")
    site.rounds(1)
    site.later(days=30)
    site.rounds(1, hours=1)
    assert site.keys("products/") == [file.ref.key]
    delivered = site.deliver(1, [file])
    site.rounds(3)
    assert site.keys("products/") == whole
    assert site.keys("hidden/") == []
    assert site.desk.look(delivered.token, file.name).ref == file.ref


def test_what_is_delivered_while_a_round_is_under_way_stays(site: DeliverySite) -> None:
    file = site.product(1)
    site.rounds(1)
    site.later(days=30)
    site.rounds(1)
    looks = iter([True])

    def deliver_at_the_first_look() -> Work:
        if next(looks, False):
            site.deliver(1, [file])
        return Work()

    expirer = site.another_expirer(work=deliver_at_the_first_look)
    assert expirer.run().tidied.removed == ()
    assert site.has(file)


def test_what_was_restored_anew_while_the_old_result_was_hidden_stays(site: DeliverySite) -> None:
    site.product(1)
    site.rounds(1)
    site.later(days=30)
    site.rounds(1, hours=1)
    anew = site.product(1, b"restored anew")
    site.rounds(3)
    assert site.has(anew)
    assert site.keys("hidden/") == []


def test_results_of_failed_attempts_go_sooner_than_whole_ones(site: DeliverySite, objects: ObjectStore) -> None:
    left = f"{keys.product_folder(block_of(9), 'f' * 32)}attempt-1/x.tar"
    objects.put_bytes(left, b"half a result")
    whole = site.product(1)
    site.rounds(1)
    site.later(days=8)
    site.rounds(3)
    assert objects.info(left) is None
    assert site.has(whole)


def test_staged_artefacts_and_logs_go_after_times_of_their_own(site: DeliverySite, objects: ObjectStore) -> None:
    request = "11111111-1111-4111-8111-111111111111"
    asdm, eb = f"asdm/{block_of(1).file_form}/1-abc/", block_of(1).file_form
    kept = [f"{asdm}ASDMBinary/x", f"{asdm}manifest.json", "calibration/uid___A001_X1_X2/1-x/a.tgz"]
    ppr, log = f"ppr/{eb}/{'e' * 32}/PPR.xml", f"logs/{request}/{eb}/a.log"
    for key in (*kept, ppr, log):
        objects.put_bytes(key, b"x")
    site.work = Work(requests=frozenset({request}), blocks=frozenset({eb}), mous=frozenset({"uid___A001_X1_X2"}))
    site.rounds(1)
    site.later(days=400)
    site.rounds(3)
    assert {*kept, ppr, log} <= set(site.keys())
    site.work = Work()
    site.rounds(1)
    site.later(days=29)
    site.rounds(3)
    assert not {*kept, ppr} & set(site.keys())
    assert objects.info(log) is not None
    site.later(days=340)
    site.rounds(3)
    assert objects.info(log) is None


def test_while_the_bus_is_away_nothing_is_forgotten_to_be_said(site: DeliverySite) -> None:
    file = site.product(1)
    manifest = site.deliver(1, [file])
    site.bus_is_away = True
    site.desk.renew(manifest.token, by="vrubin", until=manifest.expires + timedelta(days=10))
    site.later(days=32)
    site.rounds(2)
    site.later(days=10)
    site.rounds(4)
    assert site.said == []
    assert site.desk.find(manifest.token).phase is DeliveryPhase.EXPIRED
    site.bus_is_away = False
    site.rounds(2)
    assert [type(message) for message in site.messages()] == [DeliveryRenewed, DeliveryExpiring, DeliveryExpired]
    assert len(site.said) == 3
    assert site.desk.find(manifest.token).phase is DeliveryPhase.REMOVED


def test_a_round_changes_nothing_while_another_desk_does_one(site: DeliverySite, objects: ObjectStore) -> None:
    with (
        Leases(objects=objects).held("expiry", owner="request-desk other", ttl=timedelta(seconds=60)),
        pytest.raises(LeaseHeldError),
    ):
        site.another_expirer().run()


def test_what_would_be_done_is_foretold_and_nothing_is_changed(site: DeliverySite) -> None:
    file = site.product(1)
    manifest = site.deliver(1, [file])
    site.rounds(1)
    site.later(days=22)
    before = site.keys()
    assert site.expirer.foretell().reminded == (manifest.token,)
    site.later(days=8)
    told = site.expirer.foretell()
    assert told.closed == (manifest.token,)
    assert product_of(file.ref.key) in told.tidied.condemned
    assert (site.keys(), site.said) == (before, [])
    site.rounds(1)
    assert site.expirer.foretell().tidied.removed[0] == (product_of(file.ref.key), file.ref.size)

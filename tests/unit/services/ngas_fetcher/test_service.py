"""The whole handler against a real archive server and a real store."""

from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.envelope import Event
from contracts.manifests import AsdmManifest
from contracts.messages import ArtefactsStaged, FetchProgressed, RequestFailed, RestoreFailed
from contracts.messages.parts import BlockFailure, RestoreRequest, Stage
from contracts.reasons import ReasonCode
from observatory.ngas import Fault, NgasServer, location_report
from services.ngas_fetcher.errors import FetchAbandonedError, NgasAwayError, NgasRefusedError
from services.ngas_fetcher.service import NgasFetcher
from shared.objects.directory import DirectoryStore
from tests.support.delivery import RecordingDelivery
from tests.support.trees import files_below
from tests.unit.services.ngas_fetcher.conftest import Archived
from tests.unit.services.ngas_fetcher.samples import BDF_SIZE, EBS, PRODUCTS, bdf_names, write_asdm

Make = Callable[..., NgasFetcher]
FIRST_BDF = bdf_names(0)[0].removeprefix("uid___").replace("_", "/")


def staged_of(events: list[Event]) -> list[ArtefactsStaged]:
    """What was staged, in the order of the blocks' names: whichever is whole first is said first."""
    found = [event.data for event in events if isinstance(event.data, ArtefactsStaged)]
    return sorted(found, key=lambda staged: staged.eb_uid)


def failures_of(events: list[Event]) -> list[BlockFailure]:
    return [event.data.failure for event in events if isinstance(event.data, RestoreFailed)]


def run(fetcher: NgasFetcher, archived: Archived) -> list[Event]:
    delivery = RecordingDelivery()
    assert fetcher.handle(archived.event, delivery) == []
    return delivery.published


def assert_staged_as_archived(store: DirectoryStore, staged: ArtefactsStaged, folder: Path) -> None:
    manifest = AsdmManifest.model_validate_json(store.read(staged.asdm))
    expected = files_below(folder)
    assert {file.path: store.read(file.ref) for file in manifest.files} == expected


def test_every_block_is_staged_with_the_products_it_needs(
    make_fetcher: Make, archived: Archived, store: DirectoryStore
) -> None:
    staged = staged_of(run(make_fetcher(), archived))
    assert [message.eb_uid for message in staged] == list(EBS)
    assert not any(message.reused for message in staged)
    for message in staged:
        assert_staged_as_archived(store, message, archived.folders[message.eb_uid])
    shared_and_own = [product.file_id for product in (*PRODUCTS[:2], PRODUCTS[2], *PRODUCTS[4:6])]
    assert [product.name for product in staged[0].products] == shared_and_own
    assert store.read(staged[0].products[0].ref).startswith(b"product member.")


def test_a_repeat_fetches_nothing_and_says_the_same(make_fetcher: Make, archived: Archived, server: NgasServer) -> None:
    first = [event for event in run(make_fetcher(), archived) if isinstance(event.data, ArtefactsStaged)]
    retrieved = len(server.retrieved())
    assert retrieved == 2 * 7 + len(PRODUCTS)
    again = run(make_fetcher(), archived)
    assert len(server.retrieved()) == retrieved
    assert {event.id for event in again} == {event.id for event in first}
    assert all(message.reused for message in staged_of(again))


def test_progress_ends_with_all_files_and_bytes_of_each_block(make_fetcher: Make, archived: Archived) -> None:
    progress = [e.data for e in run(make_fetcher(), archived) if isinstance(e.data, FetchProgressed)]
    for eb_uid in EBS:
        last = [said for said in progress if said.eb_uid == eb_uid][-1]
        assert (last.files_done, last.files_total) == (7, 7)
        assert last.bytes_done == last.bytes_total > 3 * BDF_SIZE


def test_a_corrupted_file_fails_its_block_and_leaves_nothing_of_it(
    make_fetcher: Make, archived: Archived, server: NgasServer, store: DirectoryStore
) -> None:
    server.faults.set(Fault(corrupt_at=BDF_SIZE - 1), file_id=FIRST_BDF)
    events = run(make_fetcher(), archived)
    (failure,) = failures_of(events)
    assert (failure.eb_uid, failure.stage, failure.reason) == (EBS[0], Stage.FETCH, ReasonCode.CHECKSUM_MISMATCH)
    assert FIRST_BDF in failure.detail
    assert server.address in failure.detail
    assert "expected crc32:" in failure.detail
    assert [message.eb_uid for message in staged_of(events)] == [EBS[1]]
    keys = [info.key for info in store.list(f"asdm/{EBS[0].file_form}/")]
    assert not any(key.endswith((bdf_names(0)[0], "manifest.json")) for key in keys)


def test_a_truncated_file_fails_its_block_by_size_without_retries(
    make_fetcher: Make, archived: Archived, server: NgasServer
) -> None:
    server.faults.set(Fault(truncate_to=1000), file_id=FIRST_BDF)
    (failure,) = failures_of(run(make_fetcher(), archived))
    assert failure.reason is ReasonCode.SIZE_MISMATCH
    assert failure.detail == f"{FIRST_BDF}: expected {BDF_SIZE} bytes, got 1000, from {server.address}"
    assert len(server.retrieved(FIRST_BDF)) == 1


def test_a_failure_is_told_again_when_the_event_comes_again(
    make_fetcher: Make, archived: Archived, server: NgasServer
) -> None:
    server.faults.set(Fault(truncate_to=1000), file_id=FIRST_BDF)
    first = run(make_fetcher(), archived)
    server.faults.clear()
    again = run(make_fetcher(), archived)
    told = [event.id for event in first if isinstance(event.data, RestoreFailed)]
    assert [event.id for event in again if isinstance(event.data, RestoreFailed)] == told
    assert failures_of(again) == failures_of(first)


def test_a_request_whose_blocks_all_fail_is_concluded(
    make_fetcher: Make, archived: Archived, server: NgasServer
) -> None:
    server.faults.set(Fault(corrupt_at=0))
    events = run(make_fetcher(), archived)
    (concluded,) = [event.data for event in events if isinstance(event.data, RequestFailed)]
    assert [failure.eb_uid for failure in concluded.failures] == list(EBS)
    assert isinstance(events[-1].data, RequestFailed)


def test_a_product_that_is_nowhere_fails_the_blocks_that_need_it(
    make_fetcher: Make, archived: Archived, server: NgasServer
) -> None:
    calapply = next(p for p in PRODUCTS if p.eb_uid == EBS[1])
    structure = archived.event.data.structure  # type: ignore[attr-defined]  # the sample's message has one
    products = [p.model_copy(update={"file_id": "lost.txt"}) if p == calapply else p for p in structure.products]
    data = archived.event.data.model_copy(
        update={"structure": structure.model_copy(update={"products": tuple(products)})}
    )
    delivery = RecordingDelivery()
    make_fetcher().handle(archived.event.model_copy(update={"data": data}), delivery)
    (failure,) = failures_of(delivery.published)
    assert (failure.eb_uid, failure.reason) == (EBS[1], ReasonCode.FILE_NOT_IN_ARCHIVE)
    assert failure.detail == f"lost.txt: not on {server.address}"


def test_a_block_without_a_location_report_fails(make_fetcher: Make, archived: Archived, tmp_path: Path) -> None:
    (tmp_path / "locations" / f"{EBS[0].file_form}.json").unlink()
    (failure,) = failures_of(run(make_fetcher(), archived))
    assert failure.reason is ReasonCode.FILE_NOT_IN_ARCHIVE
    assert "no location report" in failure.detail


def test_an_asdm_that_lacks_binary_data_fails_before_it_is_fetched(
    make_fetcher: Make, archived: Archived, server: NgasServer, tmp_path: Path
) -> None:
    folder = tmp_path / "other"
    write_asdm(folder, EBS[0], server, tmp_path / "unused", seed=5)
    (folder / "ASDMBinary" / bdf_names(5)[1]).unlink()
    location_report(folder, EBS[0], server, write_to=tmp_path / "locations")
    (failure,) = failures_of(run(make_fetcher(), archived))
    assert failure.reason is ReasonCode.ASDM_INCOMPLETE
    assert f"ASDMBinary/{bdf_names(5)[1]}" in failure.detail
    assert server.retrieved(bdf_names(5)[0].removeprefix("uid___").replace("_", "/")) == []


def test_an_offline_archive_makes_the_event_wait_and_then_it_is_served(
    make_fetcher: Make, archived: Archived, server: NgasServer, store: DirectoryStore
) -> None:
    fetcher = make_fetcher(attempts=2)
    server.faults.set(Fault(offline=True))
    delivery = RecordingDelivery()
    with pytest.raises(NgasAwayError, match="is offline"):
        fetcher.handle(archived.event, delivery)
    assert delivery.published == []
    assert not fetcher.is_ready()
    server.faults.clear()
    assert fetcher.is_ready()
    assert len(staged_of(run(fetcher, archived))) == 2


def test_a_block_whose_server_is_away_does_not_hold_up_the_others(
    make_fetcher: Make, archived: Archived, server: NgasServer
) -> None:
    server.faults.set(Fault(busy=True), file_id=FIRST_BDF)
    delivery = RecordingDelivery()
    with pytest.raises(NgasAwayError, match="HTTP 503"):
        make_fetcher(attempts=2).handle(archived.event, delivery)
    assert [message.eb_uid for message in staged_of(delivery.published)] == [EBS[1]]


def test_a_second_try_fetches_only_what_is_not_there(
    make_fetcher: Make, archived: Archived, server: NgasServer
) -> None:
    server.faults.set(Fault(busy=True), file_id=FIRST_BDF)
    with pytest.raises(NgasAwayError):
        make_fetcher(attempts=1, transfers=1).handle(archived.event, RecordingDelivery())
    got = {request.file_id for request in server.retrieved() if request.status == 200}
    server.faults.clear()
    server.requests.clear()
    assert len(staged_of(run(make_fetcher(), archived))) == 2
    again = {request.file_id for request in server.retrieved()}
    assert got
    assert not got & again


def test_a_redirect_to_an_unknown_host_is_refused_without_asking_it(
    make_fetcher: Make, archived: Archived, server: NgasServer, tmp_path: Path
) -> None:
    with NgasServer(tmp_path / "ngas2") as other:
        server.faults.set(Fault(redirect_to=other.address), file_id=FIRST_BDF)
        with pytest.raises(NgasRefusedError, match=r"not an allowed host.*ALLOWED_HOSTS"):
            make_fetcher().handle(archived.event, RecordingDelivery())
        assert other.requests == []


def test_a_redirect_to_an_allowed_host_is_followed(
    make_fetcher: Make, archived: Archived, server: NgasServer, tmp_path: Path
) -> None:
    with NgasServer(tmp_path / "ngas2") as other:
        other.archive(archived.folders[EBS[0]] / "ASDMBinary" / bdf_names(0)[0], FIRST_BDF)
        server.faults.set(Fault(redirect_to=other.address), file_id=FIRST_BDF)
        fetcher = make_fetcher(allowed_hosts=(other.address,))
        assert len(staged_of(run(fetcher, archived))) == 2
        assert [request.file_id for request in other.requests] == [FIRST_BDF]


def test_a_lost_delivery_stops_the_work_and_says_nothing(make_fetcher: Make, archived: Archived) -> None:
    delivery = RecordingDelivery()
    delivery.lost.set()
    with pytest.raises(FetchAbandonedError):
        make_fetcher().handle(archived.event, delivery)
    assert delivery.published == []


def test_a_delivery_lost_during_a_stalled_transfer_ends_between_two_chunks(
    make_fetcher: Make, archived: Archived, server: NgasServer, store: DirectoryStore
) -> None:
    server.faults.set(Fault(stall=0.2, stall_after=10))

    class LosingDelivery(RecordingDelivery):
        def publish(self, events: object) -> None:
            self.lost.set()

    with pytest.raises(FetchAbandonedError):
        make_fetcher(progress_interval=0.01).handle(archived.event, LosingDelivery())
    assert not [info for info in store.list("asdm/") if info.key.endswith("manifest.json")]


def test_another_request_for_the_same_mous_reuses_everything(
    make_fetcher: Make, archived: Archived, server: NgasServer
) -> None:
    run(make_fetcher(), archived)
    before = len(server.retrieved())
    data = archived.event.data
    request: RestoreRequest = data.request  # type: ignore[attr-defined]  # the sample's message has one
    other = request.model_copy(update={"request_id": archived.event.id})
    delivery = RecordingDelivery()
    event = Event.first(data.model_copy(update={"request": other}), source="/test")
    make_fetcher().handle(event, delivery)
    assert all(message.reused for message in staged_of(delivery.published))
    assert len(server.retrieved()) == before


def test_the_bus_hears_how_long_staging_may_take(make_fetcher: Make) -> None:
    (subscription,) = make_fetcher(longest=7200.0).subscriptions()
    assert (subscription.queue, subscription.longest) == ("ngas-fetcher", 7200.0)

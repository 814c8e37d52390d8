"""Several requests and blocks beside each other: fair, each piece of work once, one's trouble not the other's."""

from contextlib import suppress
from pathlib import Path
from threading import Thread
from uuid import uuid4

import pytest
from prometheus_client import CollectorRegistry

from contracts.envelope import Event
from contracts.messages import StructureResolved
from observatory.ngas import Fault, NgasServer
from services.ngas_fetcher.blocks import Block
from services.ngas_fetcher.errors import FetchAbandonedError, NgasAwayError, NgasRefusedError
from services.ngas_fetcher.service import NgasFetcher
from shared.objects.lease import LeaseHeldError
from shared.service import Measured
from tests.support.delivery import RecordingDelivery
from tests.unit.services.ngas_fetcher.conftest import Archived
from tests.unit.services.ngas_fetcher.samples import BDF_SIZE, EBS, PRODUCTS, REQUEST, STRUCTURE, bdf_names
from tests.unit.services.ngas_fetcher.test_service import FIRST_BDF, Make, run, staged_of

BDFS = [[name.removeprefix("uid___").replace("_", "/") for name in bdf_names(seed)] for seed in range(2)]


def request_for(*sessions: int) -> Event:
    structure = STRUCTURE.model_copy(update={"sessions": tuple(STRUCTURE.sessions[n] for n in sessions)})
    request = REQUEST.model_copy(update={"request_id": uuid4()})
    return Event.first(StructureResolved(request=request, structure=structure), source="/test")


def test_a_request_with_many_slow_files_does_not_starve_another(
    make_fetcher: Make, archived: Archived, server: NgasServer
) -> None:
    """Given a request whose files would take minutes with all threads, when another comes, then it ends meanwhile."""
    for file_id in BDFS[0]:
        server.faults.set(Fault(stall=120, stall_after=1000), file_id=file_id)
    fetcher = make_fetcher(stall_timeout=120, transfers=3, concurrency=2)
    slow, quick = RecordingDelivery(), RecordingDelivery()

    def handle_slow() -> None:
        with suppress(FetchAbandonedError):
            fetcher.handle(request_for(0), slow)

    worker = Thread(target=handle_slow)
    worker.start()
    try:
        assert server.wait_for_request(FIRST_BDF, 10)
        fetcher.handle(request_for(2), quick)
        assert worker.is_alive()
        assert [message.eb_uid for message in staged_of(quick.published)] == [EBS[1]]
    finally:
        slow.lost.set()
        worker.join()


def test_products_are_fetched_by_one_of_two_requests_for_a_mous(
    make_fetcher: Make, archived: Archived, server: NgasServer
) -> None:
    """Given a fetcher in the middle of a product, when another wants the same, then that one waits and finds it."""
    manifest = PRODUCTS[0].file_id
    server.faults.set(Fault(stall=2.0, stall_after=10, times=1), file_id=manifest)
    first = RecordingDelivery()
    worker = Thread(target=lambda: make_fetcher(stall_timeout=30).handle(request_for(0), first))
    worker.start()
    try:
        assert server.wait_for_request(manifest, 10)
        with pytest.raises(LeaseHeldError, match=r"calibration/.* is worked on by ngas-fetcher"):
            make_fetcher().handle(request_for(0), RecordingDelivery())
    finally:
        worker.join()
    assert staged_of(first.published)
    again = RecordingDelivery()
    make_fetcher().handle(request_for(0), again)
    assert staged_of(again.published)[0].reused
    assert len(server.retrieved(manifest)) == 1


def test_a_block_that_only_a_person_can_mend_does_not_end_the_event_for_later_ones(
    make_fetcher: Make, archived: Archived, server: NgasServer
) -> None:
    server.faults.set(Fault(redirect_to="127.0.0.2:1"), file_id=FIRST_BDF)
    delivery = RecordingDelivery()
    with pytest.raises(NgasRefusedError, match="not an allowed host"):
        make_fetcher().handle(archived.event, delivery)
    assert [message.eb_uid for message in staged_of(delivery.published)] == [EBS[1]]


def test_a_bug_that_one_block_brings_to_light_does_not_end_the_event_for_later_ones(
    make_fetcher: Make, archived: Archived, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetcher, delivery = make_fetcher(), RecordingDelivery()
    stage = NgasFetcher._stage

    def stumble(self: NgasFetcher, handling: object, block: Block) -> object:
        return 1 // 0 if block.eb_uid == EBS[0] else stage(self, handling, block)  # type: ignore[arg-type]  # as it came

    monkeypatch.setattr(NgasFetcher, "_stage", stumble)
    with pytest.raises(ZeroDivisionError):
        fetcher.handle(archived.event, delivery)
    assert [message.eb_uid for message in staged_of(delivery.published)] == [EBS[1]]


def test_while_one_block_waits_the_event_is_tried_again_before_a_person_is_called(
    make_fetcher: Make, archived: Archived, server: NgasServer
) -> None:
    server.faults.set(Fault(redirect_to="127.0.0.2:1"), file_id=FIRST_BDF)
    server.faults.set(Fault(busy=True), file_id=BDFS[1][0])
    with pytest.raises(NgasAwayError):
        make_fetcher(attempts=2).handle(archived.event, RecordingDelivery())


def value(registry: CollectorRegistry, name: str, **labels: str) -> float:
    return registry.get_sample_value(f"alma_restore_ngas_{name}", labels) or 0.0


def test_bytes_files_seconds_and_retries_are_counted_by_server(
    make_fetcher: Make, archived: Archived, server: NgasServer
) -> None:
    server.faults.set(Fault(cut_after=BDF_SIZE // 2, times=1), file_id=FIRST_BDF)
    server.faults.set(Fault(corrupt_at=5), file_id=BDFS[1][0])
    fetcher = make_fetcher(transfers=1, stall_timeout=30)  # a pause of a busy machine would count as a retry
    assert isinstance(fetcher, Measured)
    run(fetcher, archived)
    registry, host = fetcher.registry, server.address
    assert value(registry, "retries_total", host=host) == 1
    assert value(registry, "files_total", host=host, outcome="damaged_file") == 1
    fetched = value(registry, "files_total", host=host, outcome="fetched")
    assert fetched >= 7 + len(PRODUCTS)
    assert value(registry, "file_seconds_count", host=host) == fetched
    # A transfer that was begun beside the damaged one may have been stopped before its bytes were taken.
    assert 4 * BDF_SIZE < value(registry, "bytes_total", host=host) <= sum(r.sent for r in server.retrieved())


def test_no_label_carries_an_id(make_fetcher: Make, archived: Archived, server: NgasServer, tmp_path: Path) -> None:
    fetcher = make_fetcher()
    run(fetcher, archived)
    labels = {
        (key, text) for metric in fetcher.registry.collect() for s in metric.samples for key, text in s.labels.items()
    }
    assert {text for key, text in labels if key != "le"} == {server.address, "fetched", "ngas_away"}

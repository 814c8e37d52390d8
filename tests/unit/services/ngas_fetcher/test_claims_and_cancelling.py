"""Two fetchers with one block, dead ones, and requests that are cancelled: against a real archive and a real store."""

import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from threading import Thread

import pytest

from contracts.envelope import Event
from contracts.messages import RequestCancelled
from contracts.messages.parts import ObjectRef
from observatory.ngas import Fault, NgasServer
from shared.cancellation import cancel
from shared.objects.directory import DirectoryStore
from shared.objects.lease import LeaseHeldError, Leases
from tests.support.delivery import RecordingDelivery
from tests.unit.services.ngas_fetcher.conftest import Archived
from tests.unit.services.ngas_fetcher.samples import EBS, PRODUCTS, REQUEST, bdf_names
from tests.unit.services.ngas_fetcher.test_service import FIRST_BDF, Make, run, staged_of
from tests.unit.services.ngas_fetcher.test_sources import exporting, has_ended, script


def test_two_fetchers_with_the_same_block_fetch_it_once(
    make_fetcher: Make, archived: Archived, server: NgasServer
) -> None:
    """Given one that is in the middle of a block, when another gets the same, then that one waits and finds it."""
    server.faults.set(Fault(stall=3.0, stall_after=10, times=1), file_id=FIRST_BDF)
    first, second = RecordingDelivery(), RecordingDelivery()

    def fetch() -> None:
        with suppress(LeaseHeldError):  # by the other one, if it is at the other block first
            make_fetcher(stall_timeout=30).handle(archived.event, first)

    worker = Thread(target=fetch)
    worker.start()
    try:
        assert server.wait_for_request(FIRST_BDF, 10)
        with pytest.raises(LeaseHeldError, match="is worked on by ngas-fetcher"):
            make_fetcher().handle(archived.event, second)
    finally:
        worker.join()
    assert len(staged_of(run(make_fetcher(), archived))) == 2
    asked = [request.file_id for request in server.retrieved() if request.file_id and "/X9" in request.file_id]
    assert sorted(asked) == sorted(set(asked))


def test_a_dead_fetchers_claim_is_taken_over(make_fetcher: Make, archived: Archived, store: DirectoryStore) -> None:
    run(make_fetcher(), archived)
    folder = next(iter(store.list(f"asdm/{EBS[0].file_form}/"))).key.split("/files/")[0]
    for info in list(store.list(f"{folder}/")):
        store.delete(info.key)
    Leases(objects=store).claim(folder, owner="who was killed", ttl=timedelta(seconds=0.3))
    fetcher, waited = make_fetcher(), 0
    while True:
        try:
            events = run(fetcher, archived)
            break
        except LeaseHeldError:
            waited += 1
    assert waited
    assert [message.reused for message in staged_of(events)] == [False, True]


def test_a_cancelled_request_stops_within_seconds_and_says_nothing_more(
    make_fetcher: Make, archived: Archived, server: NgasServer, store: DirectoryStore
) -> None:
    server.faults.set(Fault(stall=60, stall_after=1000))
    fetcher, delivery = make_fetcher(stall_timeout=60), RecordingDelivery()
    worker = Thread(target=lambda: fetcher.handle(archived.event, delivery))
    worker.start()
    assert server.wait_for_request(PRODUCTS[0].file_id, 10)
    word = RequestCancelled(request_id=REQUEST.request_id, mous_uid=REQUEST.mous_uid, by="vrubin")
    cancel(store, word)
    fetcher.hear(Event.first(word, source="/test"))
    worker.join(timeout=2)
    assert not worker.is_alive()
    assert delivery.published == []
    assert not list(store.list("asdm/"))
    assert not list(store.list("calibration/"))
    server.faults.clear()
    assert run(make_fetcher(), archived) == []


def test_a_request_cancelled_while_an_asdm_comes_leaves_no_partial_object(
    make_fetcher: Make, archived: Archived, server: NgasServer, store: DirectoryStore
) -> None:
    server.faults.set(Fault(stall=60, stall_after=1000), file_id=FIRST_BDF)
    fetcher, delivery = make_fetcher(stall_timeout=60, transfers=1, blocks=1), RecordingDelivery()
    worker = Thread(target=lambda: fetcher.handle(archived.event, delivery))
    worker.start()
    assert server.wait_for_request(FIRST_BDF, 10)
    word = RequestCancelled(request_id=REQUEST.request_id, mous_uid=REQUEST.mous_uid, by="vrubin")
    fetcher.hear(Event.first(word, source="/test"))
    worker.join(timeout=2)
    assert not worker.is_alive()
    assert staged_of(delivery.published) == []
    assert not [info for info in store.list("asdm/") if info.key.endswith((bdf_names(0)[0], "manifest.json"))]
    assert list(Path(store._root, "tmp").iterdir()) == []


def test_a_request_cancelled_while_its_blocks_are_exported_ends_the_commands(
    make_fetcher: Make, archived: Archived, store: DirectoryStore, tmp_path: Path
) -> None:
    pids = tmp_path / "pids"
    pids.touch()
    command = script(tmp_path / "hangs", f"open({str(pids)!r}, 'a').write(f'{{os.getpid()}}\\n')\ntime.sleep(600)\n")
    fetcher, delivery = make_fetcher(**exporting(command, tmp_path)), RecordingDelivery()
    worker = Thread(target=lambda: fetcher.handle(archived.event, delivery))
    worker.start()
    try:
        latest = time.monotonic() + 20
        while len(begun := pids.read_text().split()) < len(EBS) and time.monotonic() < latest:
            worker.join(0.05)
    finally:
        word = RequestCancelled(request_id=REQUEST.request_id, mous_uid=REQUEST.mous_uid, by="vrubin")
        fetcher.hear(Event.first(word, source="/test"))
        worker.join(timeout=10)
    assert not worker.is_alive()
    assert len(begun) == len(EBS)
    assert all(has_ended(int(pid), within=5) for pid in begun)
    assert staged_of(delivery.published) == []
    assert list((tmp_path / "exports").iterdir()) == []
    assert not list(store.list("asdm/"))


class Overtaken(DirectoryStore):
    """A store in which another fetcher names its manifest just before this one does."""

    def create(self, key: str, data: bytes) -> ObjectRef:
        if key.endswith("/manifest.json") and self.info(key) is None:
            super().create(key, data.replace(b'"kind": "asdm"', b'"kind":  "asdm"'))
        return super().create(key, data)


def test_a_fetcher_that_was_overtaken_leaves_the_others_manifest_alone(
    make_fetcher: Make, archived: Archived, tmp_path: Path
) -> None:
    overtaken = Overtaken(tmp_path / "overtaken")
    staged = staged_of(run(make_fetcher(objects=overtaken), archived))
    assert len(staged) == 2
    for message in staged:
        assert b'"kind":  "asdm"' in overtaken.read(message.asdm)

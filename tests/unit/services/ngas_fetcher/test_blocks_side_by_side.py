"""The blocks of one request come side by side, and each ends as if it were alone."""

from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path
from threading import Barrier, Event, Thread

import pytest

from contracts.envelope import Event as Said
from contracts.messages import ArtefactsStaged, FetchProgressed, RequestCancelled
from observatory.ngas import Fault, NgasServer, tar_report
from services.ngas_fetcher.blocks import Block, side_by_side
from services.ngas_fetcher.errors import FetchAbandonedError, NgasAwayError
from shared.objects.directory import DirectoryStore
from tests.support.delivery import RecordingDelivery
from tests.unit.services.ngas_fetcher.conftest import Archived
from tests.unit.services.ngas_fetcher.samples import EBS, REQUEST
from tests.unit.services.ngas_fetcher.test_service import Make, failures_of, run, staged_of

SOON = 20


@pytest.fixture
def tars(archived: Archived, server: NgasServer, tmp_path: Path) -> list[str]:
    """Let each block lie in the archive as one tar; their file ids, in the order of the blocks."""
    for eb_uid in EBS:
        tar_report(archived.folders[eb_uid], eb_uid, server, work=tmp_path, write_to=tmp_path / "locations")
    found = sorted(file.file_id for file in server.store.files() if file.size > 900_000)
    assert len(found) == len(EBS)
    return found


class Heard(RecordingDelivery):
    """Tells when a block was said to be whole."""

    def __init__(self) -> None:
        super().__init__()
        self.staged = Event()

    def publish(self, events: Sequence[Said]) -> None:
        super().publish(events)
        if staged_of(self.published):
            self.staged.set()


class Working:
    """A request that is handled in a thread of its own; what that raised is kept."""

    def __init__(self, make: Make, archived: Archived, **changes: object) -> None:
        self.delivery, self.raised = Heard(), list[BaseException]()
        self.fetcher = make(stall_timeout=120, **changes)
        self._thread = Thread(target=self._work, args=(archived,))
        self._thread.start()

    def _work(self, archived: Archived) -> None:
        try:
            self.fetcher.handle(archived.event, self.delivery)
        except Exception as error:  # looked at by the test
            self.raised.append(error)

    def has_ended(self, within: float) -> bool:
        self._thread.join(within)
        return not self._thread.is_alive()

    def close(self) -> None:
        self.delivery.lost.set()
        self._thread.join()


def test_two_tars_that_take_long_are_both_asked_for_before_either_ends(
    make_fetcher: Make, archived: Archived, tars: list[str], server: NgasServer
) -> None:
    for file_id in tars:
        server.faults.set(Fault(stall=120, stall_after=1000), file_id=file_id)
    with closing(Working(make_fetcher, archived)) as working:
        assert [server.wait_for_request(file_id, SOON) for file_id in tars] == [True, True]
        assert staged_of(working.delivery.published) == []
        assert not working.has_ended(0)


def test_a_block_that_is_whole_is_said_while_one_before_it_still_comes(
    make_fetcher: Make, archived: Archived, tars: list[str], server: NgasServer
) -> None:
    server.faults.set(Fault(stall=120, stall_after=1000), file_id=tars[0])
    with closing(Working(make_fetcher, archived)) as working:
        assert working.delivery.staged.wait(SOON)
        assert [message.eb_uid for message in staged_of(working.delivery.published)] == [EBS[1]]
        assert not working.has_ended(0)


def test_a_request_that_is_cancelled_ends_all_its_blocks_within_seconds(
    make_fetcher: Make, archived: Archived, tars: list[str], server: NgasServer, store: DirectoryStore
) -> None:
    for file_id in tars:
        server.faults.set(Fault(stall=120, stall_after=1000), file_id=file_id)
    with closing(Working(make_fetcher, archived)) as working:
        assert all(server.wait_for_request(file_id, SOON) for file_id in tars)
        word = RequestCancelled(request_id=REQUEST.request_id, mous_uid=REQUEST.mous_uid, by="vrubin")
        working.fetcher.hear(archived.event.derive(word, source="/test", key="x"))
        assert working.has_ended(2)
        assert working.raised == []
    assert staged_of(working.delivery.published) == []
    assert not list(store.list("asdm/"))


def test_a_delivery_that_is_lost_ends_all_its_blocks(
    make_fetcher: Make, archived: Archived, tars: list[str], server: NgasServer
) -> None:
    for file_id in tars:
        server.faults.set(Fault(stall=120, stall_after=1000), file_id=file_id)
    with closing(Working(make_fetcher, archived)) as working:
        assert all(server.wait_for_request(file_id, SOON) for file_id in tars)
        working.delivery.lost.set()
        assert working.has_ended(SOON)
        assert [type(error) for error in working.raised] == [FetchAbandonedError]


def test_one_block_fails_one_waits_and_neither_ends_the_other(
    make_fetcher: Make, archived: Archived, tars: list[str], server: NgasServer
) -> None:
    server.faults.set(Fault(corrupt_at=1000), file_id=tars[0])
    server.faults.set(Fault(busy=True), file_id=tars[1])
    delivery = RecordingDelivery()
    with pytest.raises(NgasAwayError):
        make_fetcher(attempts=2).handle(archived.event, delivery)
    assert [failure.eb_uid for failure in failures_of(delivery.published)] == [EBS[0]]


def test_nothing_is_said_of_a_blocks_progress_after_its_end(make_fetcher: Make, archived: Archived) -> None:
    whole = set[str]()
    for event in run(make_fetcher(), archived):
        if isinstance(event.data, FetchProgressed):
            assert event.data.eb_uid not in whole
        elif isinstance(event.data, ArtefactsStaged):
            whole.add(event.data.eb_uid)
    assert whole == set(EBS)


def test_no_more_blocks_are_at_work_than_may_be() -> None:
    together, at_work, most = Barrier(2), list[Block](), list[int]()

    def work(block: Block) -> str:
        at_work.append(block)
        most.append(len(at_work))
        together.wait(SOON)
        at_work.remove(block)
        together.wait(SOON)
        return block.eb_uid

    results = list[str]()

    def ended(block: Block, result: Future[str]) -> None:
        results.append(result.result())

    side_by_side(
        [Block(eb_uid=eb_uid) for eb_uid in EBS * 2],
        work,
        at_a_time=2,
        interval=0.01,
        ended=ended,
        tick=lambda blocks: None,
    )
    assert sorted(results) == sorted(EBS * 2)
    assert max(most) == 2


def test_when_the_end_of_one_ends_all_the_others_are_told_to_stop_and_none_is_begun() -> None:
    begun = list[Block]()

    def work(block: Block) -> None:
        begun.append(block)
        if block is not blocks[0]:
            block.stop.wait(SOON)

    def ended(block: Block, result: Future[None]) -> None:
        raise FetchAbandonedError("enough")

    blocks = [Block(eb_uid=eb_uid) for eb_uid in EBS * 2]
    with pytest.raises(FetchAbandonedError, match="enough"):
        side_by_side(blocks, work, at_a_time=2, interval=SOON, ended=ended, tick=lambda at_work: None)
    assert all(block.stop.is_told for block in begun[1:])
    assert len(begun) < len(blocks)

"""The pool of transfers: its bounds, and its fairness between requests."""

from collections.abc import Iterator
from contextlib import ExitStack
from threading import Barrier, Event, Lock

import pytest

from services.ngas_fetcher.hosts import HostSlots
from services.ngas_fetcher.pool import LARGE_TRANSFER, MIB, Job, TransferPool, memory_of
from shared.objects.parts import FIRST_PART_BYTES, part_bytes

SOON = 10


class Watched:
    """Jobs that work until they are let go, and are counted meanwhile."""

    def __init__(self) -> None:
        self.lock, self.go, self.begun = Lock(), Event(), list[str]()
        self.at_work = self.most = 0

    def job(self, name: str, *, host: str | None = None, memory: int = MIB, wait: bool = True) -> Job[str]:
        def work() -> str:
            with self.lock:
                self.begun.append(name)
                self.at_work += 1
                self.most = max(self.most, self.at_work)
            if wait:
                assert self.go.wait(SOON)
            with self.lock:
                self.at_work -= 1
            return name

        return Job(work=work, host=host, memory=memory)


@pytest.fixture
def cleanup() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def pool(
    cleanup: ExitStack, *, threads: int = 4, per_host: int = 99, memory: int = 1 << 30, requests: int = 1
) -> TransferPool:
    made = TransferPool(threads=threads, hosts=HostSlots(limit=per_host), memory=memory, requests=requests)
    cleanup.callback(made.close)
    return made


def test_a_request_that_comes_later_is_served_although_a_large_one_waits(cleanup: ExitStack) -> None:
    """Given a request with more long transfers than threads, when a small one comes, then it ends at once."""
    watched, transfers = Watched(), pool(cleanup, threads=3, requests=2)
    large, small = cleanup.enter_context(transfers.group()), cleanup.enter_context(transfers.group())
    long = [large.submit(watched.job("large")) for _ in range(20)]
    quick = [small.submit(watched.job("small", wait=False)) for _ in range(5)]
    assert [future.result(SOON) for future in quick] == ["small"] * 5
    assert not any(future.done() for future in long)
    watched.go.set()
    assert [future.result(SOON) for future in long] == ["large"] * 20


def test_a_request_does_not_take_all_that_a_host_is_asked_at_a_time(cleanup: ExitStack) -> None:
    """Given threads enough and a host that takes fewer, when a large request is at all it may, another begins."""
    watched, transfers = Watched(), pool(cleanup, threads=8, per_host=6, requests=2)
    large, small = cleanup.enter_context(transfers.group()), cleanup.enter_context(transfers.group())
    long = [large.submit(watched.job("large", host="a")) for _ in range(20)]
    for _ in range(8):  # hosts take turns: between two jobs of another host one of this begins, if any may
        large.submit(watched.job("beside", host="b", wait=False)).result(SOON)
    try:
        assert small.submit(watched.job("small", host="a", wait=False)).result(SOON) == "small"
        assert not any(future.done() for future in long)
    finally:
        watched.go.set()
    assert [future.result(SOON) for future in long] == ["large"] * 20
    assert watched.most <= 6


def test_a_request_that_is_alone_may_take_all_that_a_host_is_asked_at_a_time(cleanup: ExitStack) -> None:
    together, transfers = Barrier(3), pool(cleanup, threads=4, per_host=3)
    group = cleanup.enter_context(transfers.group())
    seen = [group.submit(Job(work=lambda: together.wait(SOON), host="a")) for _ in range(3)]
    assert sorted(future.result(SOON) for future in seen) == [0, 1, 2]


def test_where_a_host_takes_fewer_than_there_are_requests_each_may_ask_it(cleanup: ExitStack) -> None:
    watched, transfers = Watched(), pool(cleanup, threads=8, per_host=1, requests=4)
    watched.go.set()
    groups = [cleanup.enter_context(transfers.group()) for _ in range(4)]
    futures = [group.submit(watched.job("x", host="a")) for group in groups]
    assert [future.result(SOON) for future in futures] == ["x"] * 4
    assert watched.most == 1


def test_within_a_request_the_hosts_take_turns(cleanup: ExitStack) -> None:
    watched, transfers = Watched(), pool(cleanup, threads=1)
    group = cleanup.enter_context(transfers.group())
    first = group.submit(watched.job("first"))
    while not watched.begun:
        first.running()
    futures = [group.submit(watched.job(host, host=host)) for host in ("a", "a", "a", "b", "b")]
    watched.go.set()
    for future in (first, *futures):
        future.result(SOON)
    assert watched.begun == ["first", "a", "b", "a", "b", "a"]


def test_threads_are_shared_evenly(cleanup: ExitStack) -> None:
    together, transfers = Barrier(4), pool(cleanup, threads=4, requests=2)
    one, other = cleanup.enter_context(transfers.group()), cleanup.enter_context(transfers.group())
    # Each waits until four are at work, two of each request: no other order lets them end.
    seen = [group.submit(Job(work=lambda: together.wait(SOON))) for group in (one, one, other, other)]
    assert sorted(future.result(SOON) for future in seen) == [0, 1, 2, 3]


def test_memory_bounds_what_is_at_work_and_leaves_room_for_another_request(cleanup: ExitStack) -> None:
    watched, transfers = Watched(), pool(cleanup, threads=8, memory=256 * MIB, requests=2)
    one, other = cleanup.enter_context(transfers.group()), cleanup.enter_context(transfers.group())
    futures = [one.submit(watched.job("one", memory=LARGE_TRANSFER)) for _ in range(4)]
    futures.append(other.submit(watched.job("other", memory=LARGE_TRANSFER, wait=False)))
    assert futures[-1].result(SOON) == "other"
    watched.go.set()
    for future in futures:
        future.result(SOON)
    assert watched.most <= 2


def test_a_transfer_larger_than_all_memory_works_alone(cleanup: ExitStack) -> None:
    watched, transfers = Watched(), pool(cleanup, memory=16 * MIB)
    group = cleanup.enter_context(transfers.group())
    watched.go.set()
    futures = [group.submit(watched.job(str(n), memory=LARGE_TRANSFER)) for n in range(3)]
    assert [future.result(SOON) for future in futures] == ["0", "1", "2"]
    assert watched.most == 1


def test_jobs_of_a_host_that_has_enough_do_not_hold_up_those_of_another(cleanup: ExitStack) -> None:
    hosts = HostSlots(limit=1)
    transfers = TransferPool(threads=2, hosts=hosts, memory=1 << 30)
    cleanup.callback(transfers.close)
    group = cleanup.enter_context(transfers.group())
    with hosts.hold("a"):
        waiting = [group.submit(Job(work=lambda: "a", host="a")) for _ in range(5)]
        assert group.submit(Job(work=lambda: "b", host="b")).result(SOON) == "b"
        assert not any(future.done() for future in waiting)
    assert [future.result(SOON) for future in waiting] == ["a"] * 5


def test_what_waits_when_a_request_ends_is_cancelled(cleanup: ExitStack) -> None:
    watched, transfers = Watched(), pool(cleanup, threads=1)
    with transfers.group() as group:
        futures = [group.submit(watched.job(str(n))) for n in range(3)]
        while not watched.begun:
            futures[0].running()
    watched.go.set()
    assert futures[0].result(SOON) == "0"
    assert futures[1].cancelled()
    assert futures[2].cancelled()


def test_an_error_is_raised_where_the_result_is_asked_for(cleanup: ExitStack) -> None:
    transfers = pool(cleanup)
    group = cleanup.enter_context(transfers.group())
    future = group.submit(Job(work=lambda: 1 // 0))
    with pytest.raises(ZeroDivisionError):
        future.result(SOON)


def test_small_files_need_little_memory_and_large_ones_no_more_than_an_upload() -> None:
    assert memory_of(0) < MIB
    assert memory_of(100 * MIB) == memory_of(150 << 30) == LARGE_TRANSFER


@pytest.mark.parametrize("size", [160 << 30, 500 << 30, 5 << 40])
def test_a_file_whose_parts_are_larger_than_usual_needs_one_on_its_way_one_that_waits_and_one_being_filled(
    size: int,
) -> None:
    assert memory_of(size) > max(3 * FIRST_PART_BYTES, part_bytes(0, size)) + 2 * part_bytes(0, size)
    assert memory_of(size) > LARGE_TRANSFER

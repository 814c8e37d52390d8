"""Jobs side by side: what becomes of the others when one fails, and that to wait for many costs no more."""

import sys
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from threading import Event
from types import FrameType

import pytest

from services.ngas_fetcher.errors import FetchAbandonedError, NgasAwayError
from services.ngas_fetcher.hosts import HostSlots
from services.ngas_fetcher.parallel import run_all
from services.ngas_fetcher.pool import MIB, Group, Job, TransferPool
from services.ngas_fetcher.stop import Stop


@pytest.fixture
def group() -> Iterator[Group]:
    pool = TransferPool(threads=2, hosts=HostSlots(limit=2), memory=100 * MIB)
    with pool.group() as group:
        yield group
    pool.close()


def ignore() -> None:
    """Nobody is told."""


def test_results_come_in_the_order_of_the_jobs(group: Group) -> None:
    jobs = [Job(work=partial(int, number)) for number in range(50)]
    assert run_all(group, jobs, stop=Stop(), interval=60, tick=ignore) == list(range(50))


def test_where_there_is_nothing_to_do_nothing_is_waited_for(group: Group) -> None:
    assert run_all(group, list[Job[int]](), stop=Stop(), interval=60, tick=ignore) == []


def test_after_a_failure_none_is_begun_and_those_at_work_are_told(group: Group) -> None:
    stop, at_work, begun = Stop(), Event(), list[int]()

    def work() -> None:
        at_work.set()
        stop.wait(60)

    def fail() -> None:
        at_work.wait(60)
        raise LookupError("it is not there")

    def begin() -> None:
        begun.append(1)
        stop.wait(60)

    later = [Job(work=begin)] * 50
    with pytest.raises(LookupError):
        run_all(group, [Job(work=work), Job(work=fail), *later], stop=stop, interval=60, tick=ignore)
    assert stop.is_told
    assert len(begun) <= 1


def test_while_a_server_is_away_those_at_work_go_on_to_their_end(group: Group) -> None:
    stop, failed, ended = Stop(), Event(), list[int]()

    def work() -> None:
        failed.wait(60)
        stop.check()
        ended.append(1)

    def fail() -> None:
        raise NgasAwayError("it is away")

    with pytest.raises(NgasAwayError):
        run_all(group, [Job(work=work), Job(work=fail)], stop=stop, interval=0.01, tick=failed.set)
    assert ended == [1]
    assert not stop.is_told


def test_the_word_to_stop_ends_the_wait(group: Group) -> None:
    stop = Stop()
    jobs = [Job(work=lambda: stop.wait(60)) for _ in range(3)]
    with pytest.raises(FetchAbandonedError):
        run_all(group, jobs, stop=stop, interval=0.01, tick=stop.tell)


def test_a_look_at_many_that_wait_does_not_look_at_each(group: Group) -> None:
    """Given a hundred thousand files, a look at each of them several times a second would take all the time."""
    release, calls, ticks = Event(), list[str](), list[int]()

    def tick() -> None:
        ticks.append(len(calls))
        if len(ticks) == 5:
            release.set()

    def note(_frame: FrameType, event: str, _of: object) -> None:
        if event == "call":
            calls.append(event)

    sys.setprofile(note)
    try:
        run_all(group, [Job(work=lambda: release.wait(60))] * 200, stop=Stop(), interval=0.001, tick=tick)
    finally:
        sys.setprofile(None)
    assert max(after - before for before, after in pairwise(ticks[:5])) < 100

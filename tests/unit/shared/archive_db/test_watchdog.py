"""A driver's calls under a deadline: what hangs is given up, bounded, and undone in its own thread."""

import time
from threading import Event as Flag
from threading import enumerate as enumerate_threads
from threading import get_ident

import pytest

from shared.archive_db.watchdog import GivenUpError, Watchdog


def test_hanging_connects_are_bounded_and_a_late_connection_is_closed() -> None:
    go_on, closed = Flag(), Flag()

    class Late:
        def close(self) -> None:
            closed.set()

    def connect() -> Late:
        go_on.wait(10)
        return Late()

    watchdog = Watchdog(most=1)
    with pytest.raises(GivenUpError, match="gave no connection"):
        watchdog.run(connect, given="connection", timeout=0.05, undo=Late.close)
    with pytest.raises(GivenUpError, match="still hang"):
        watchdog.run(connect, given="connection", timeout=0.05, undo=Late.close)
    go_on.set()
    assert closed.wait(5)


def test_a_drivers_own_error_passes_the_watchdog() -> None:
    def connect() -> None:
        raise OSError("no route to host")

    with pytest.raises(OSError, match="no route"):
        Watchdog(most=1).run(connect, given="connection", timeout=5)


def test_one_thread_makes_many_calls_and_ends_when_it_is_told() -> None:
    watchdog = Watchdog(most=2)
    threads = {watchdog.run(get_ident, given="name", timeout=5) for _ in range(20)}
    assert len(threads) == 1
    assert threads <= {thread.ident for thread in enumerate_threads()}
    watchdog.rest()
    until = time.monotonic() + 5
    while threads & {thread.ident for thread in enumerate_threads()}:
        assert time.monotonic() < until


def test_an_answer_that_comes_too_late_is_undone_and_its_place_given_back_even_if_that_fails() -> None:
    late, undone = Flag(), Flag()

    def undo(answer: object) -> None:
        undone.set()
        raise OSError(f"{answer} was gone already")

    watchdog = Watchdog(most=1)
    with pytest.raises(GivenUpError, match="gave no connection"):
        watchdog.run(lambda: late.wait(10), given="connection", timeout=0.05, undo=undo)
    with pytest.raises(GivenUpError, match="earlier calls still hang"):
        watchdog.run(get_ident, given="name", timeout=5)
    late.set()
    assert undone.wait(5)
    until = time.monotonic() + 5
    while True:
        try:
            watchdog.run(get_ident, given="name", timeout=5)
        except GivenUpError:
            assert time.monotonic() < until
            time.sleep(0.01)
        else:
            break
    watchdog.rest()

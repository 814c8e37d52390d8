"""What several threads want at once is done in one go, and each gets its own result or error."""

from collections.abc import Sequence
from threading import Event as Flag
from threading import Thread

import pytest

from services.request_desk.ledger.together import Together


class Work:
    """Doubles numbers; holds the first go until it is let on, and fails with 13."""

    def __init__(self) -> None:
        self.goes: list[list[int]] = []
        self.begun, self.go_on = Flag(), Flag()

    def __call__(self, items: Sequence[int]) -> Sequence[int]:
        self.goes.append(list(items))
        self.begun.set()
        assert self.go_on.wait(10)
        if 13 in items:
            raise ValueError("13 cannot be doubled")
        return [2 * item for item in items]


def done(together: Together[int, int], items: Sequence[int], work: Work) -> dict[int, int | str]:
    """Have the first item done, and meanwhile all others wanted."""
    results: dict[int, int | str] = {}

    def want(item: int) -> None:
        try:
            results[item] = together.do(item)
        except ValueError as error:
            results[item] = str(error)

    threads = [Thread(target=want, args=(item,)) for item in items]
    threads[0].start()
    assert work.begun.wait(10)
    for thread in threads[1:]:
        thread.start()
    while len(together) < len(items) - 1:
        assert any(thread.is_alive() for thread in threads)
    work.go_on.set()
    for thread in threads:
        thread.join(10)
    return results


def test_what_is_wanted_while_one_is_at_work_is_done_in_one_go() -> None:
    work = Work()
    assert done(Together(work), range(8), work) == {number: 2 * number for number in range(8)}
    assert [sorted(go) for go in work.goes] == [[0], list(range(1, 8))]


def test_no_more_than_the_most_are_done_in_one_go() -> None:
    work = Work()
    assert done(Together(work, most=3), range(8), work) == {number: 2 * number for number in range(8)}
    assert max(map(len, work.goes)) == 3


def test_the_error_of_one_is_raised_for_that_one_alone() -> None:
    work = Work()
    results = done(Together(work), (1, 12, 13, 14), work)
    assert results == {1: 2, 12: 24, 13: "13 cannot be doubled", 14: 28}


def test_what_is_done_alone_raises_its_error() -> None:
    work = Work()
    work.go_on.set()
    with pytest.raises(ValueError, match="13"):
        Together(work).do(13)

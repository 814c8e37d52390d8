"""Where a pass is cut in two."""

import pytest

from services.casa_runner.casa.halves import cut


@pytest.mark.parametrize(
    ("counts", "halves"),
    [
        ({1: 10, 2: 10}, ("1~1", "2~2")),
        ({1: 1, 2: 1, 3: 1, 7: 5}, ("1~3", "7~7")),
        ({1: 5, 2: 1, 3: 1}, ("1~1", "2~3")),
        ({1: 48, 2: 29, 3: 5, 4: 38, 5: 5, 6: 38, 7: 5, 8: 38, 9: 5, 10: 38}, ("1~5", "6~10")),
    ],
)
def test_it_is_cut_between_the_scans_that_leave_two_halves_most_alike(
    counts: dict[int, int], halves: tuple[str, str]
) -> None:
    assert cut(sorted(counts), counts) == halves


@pytest.mark.parametrize(("order", "counts"), [([1, 1], {1: 2}), ([], {}), ([2, 1], {1: 1, 2: 1}), ([1, 2, 2], {2: 2})])
def test_it_is_not_cut_where_rows_would_come_in_another_order_or_one_half_were_empty(
    order: list[int], counts: dict[int, int]
) -> None:
    assert cut(order, counts) is None

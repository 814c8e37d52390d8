"""How sizes are worded."""

import pytest

from shared.sizes import size_text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1_234_567, "1.2 MB"),
        (99_940_000, "99.9 MB"),
        (99_960_000, "100 MB"),
        (999_600_000, "1.0 GB"),
        (500e9, "500 GB"),
        (5e18, "5000 PB"),
    ],
)
def test_a_size_has_the_digits_that_count_and_a_unit(count: float, text: str) -> None:
    assert size_text(count) == text

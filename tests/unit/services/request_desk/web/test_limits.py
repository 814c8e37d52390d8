"""How many requests everybody may have under way, and how many live views."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.request_desk.web.faults import TooManyError
from services.request_desk.web.limits import Pace, Streams, share


@pytest.mark.parametrize(
    ("active", "users", "expected"), [(0, 1, 50), (399, 80, 50), (400, 1, 50), (400, 10, 40), (400, 1000, 1)]
)
def test_there_is_as_much_as_one_may_have_until_it_is_crowded_and_equal_shares_then(
    active: int, users: int, expected: int
) -> None:
    assert share(active_in_all=active, users=users, most=50, crowded=400) == expected


@given(st.integers(0, 10_000), st.integers(1, 1000), st.integers(1, 100), st.integers(1, 1000))
def test_everybody_always_has_a_share_and_never_more_than_the_most(
    active: int, users: int, most: int, crowded: int
) -> None:
    assert 1 <= share(active_in_all=active, users=users, most=most, crowded=crowded) <= most


def test_live_views_are_counted_per_user_and_in_all_while_they_are_open() -> None:
    streams = Streams(per_user=2, in_all=3)
    with streams.opened("vera"), streams.opened("vera"):
        with pytest.raises(TooManyError), streams.opened("vera"):
            pass
        with streams.opened("jan"), pytest.raises(TooManyError), streams.opened("olga"):
            pass
    with streams.opened("vera"):
        pass


def test_so_many_calls_pass_within_a_minute_and_then_as_many_as_are_due() -> None:
    now = [100.0]
    pace = Pace(6, clock=lambda: now[0])
    assert [pace.take("vera") for _ in range(6)] == [0.0] * 6
    assert pace.take("vera") == pytest.approx(10.0)
    assert pace.take("jan") == 0.0
    now[0] += 10.0
    assert pace.take("vera") == 0.0
    assert pace.take("vera") > 0.0
    now[0] += 60.0
    assert [pace.take("vera") for _ in range(6)] == [0.0] * 6


@given(st.lists(st.floats(0, 30), max_size=200), st.integers(1, 20))
def test_never_do_more_calls_pass_within_a_minute_than_twice_what_may(pauses: list[float], most: int) -> None:
    now, passed = 0.0, []
    pace = Pace(most, clock=lambda: now)
    for pause in pauses:
        now += pause
        if not pace.take("vera"):
            passed.append(now)
    for moment in passed:
        assert sum(moment - 60 < other <= moment for other in passed) <= 2 * most


def test_who_has_not_called_for_long_is_forgotten() -> None:
    now = [0.0]
    pace = Pace(60, clock=lambda: now[0])
    for number in range(1001):
        pace.take(f"early {number}")
    now[0] += 100.0
    for number in range(1100):
        pace.take(f"late {number}")
    assert len(pace._due) <= 1100

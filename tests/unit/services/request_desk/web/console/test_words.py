"""Sizes, times, states and steps in words."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from services.request_desk.ledger.states import BlockState, RequestState, Step
from services.request_desk.web.console import words


def test_a_size_that_is_not_known_has_no_words() -> None:
    assert (words.size(None), words.size(1_234_567)) == ("–", "1.2\N{NO-BREAK SPACE}MB")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "–"), (0, "0 s"), (59.6, "1 min"), (61, "1 min 1 s"), (3600, "1 h"), (90_061, "1 d 1 h"), (-3, "0 s")],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert words.duration(seconds) == text


def test_a_moment_is_in_utc_and_programs_can_read_it() -> None:
    told = datetime(2026, 3, 1, 1, 30, tzinfo=timezone(timedelta(hours=1)))
    assert words.moment(told) == '<time datetime="2026-03-01T00:30:00+00:00">2026-03-01 00:30 UTC</time>'
    assert words.moment(None) == "–"
    assert words.moment(datetime(2026, 3, 1, tzinfo=UTC)).endswith("00:00 UTC</time>")


@pytest.mark.parametrize(
    ("remark", "text"),
    [
        ("there is no such request", "There is no such request."),
        ("a system does not answer; nothing is lost", "A system does not answer; nothing is lost."),
        ("Nothing has this address.", "Nothing has this address."),
        ("uid://A001/X1/X2 is no MOUS", "uid://A001/X1/X2 is no MOUS."),
        ("cursor: it is too long", "cursor: it is too long."),
        ("this may be done (by operators)", "This may be done (by operators)."),
    ],
)
def test_a_remark_is_said_as_a_sentence_and_a_name_stays_as_it_is(remark: str, text: str) -> None:
    assert words.sentence(remark) == text


def test_every_state_and_step_has_words() -> None:
    assert all(words.state_words(state) for state in (*RequestState, *BlockState))
    assert set(words.STEPS) == set(Step)


def test_the_tone_tells_what_went_well_what_badly_and_what_goes_on() -> None:
    assert words.tone(RequestState.DELIVERED) == words.tone(BlockState.RESTORED) == "good"
    assert {words.tone(state) for state in (RequestState.REFUSED, RequestState.FAILED, RequestState.WITHHELD)} == {
        "bad"
    }
    assert {words.tone(state) for state in (RequestState.CANCELLED, RequestState.REMOVED)} == {"over"}
    assert words.tone(RequestState.RESOLVED) == words.tone(BlockState.FETCHING) == "going"

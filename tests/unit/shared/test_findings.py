"""Two clocks are compared, and what they may differ by is the time that the question took and a little more."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.findings import Finding, Findings, Verdict


def compared(seconds: float, *, took: float = 0.0) -> Finding:
    """Compare a clock that is ahead by so many seconds when it answers, at the end of the question."""
    findings, now = Findings("store"), datetime.now(UTC)
    findings.clock(now + timedelta(seconds=seconds), before=now - timedelta(seconds=took))
    (found,) = findings
    return found


@pytest.mark.parametrize(
    ("seconds", "verdict"),
    [
        (0, Verdict.OK),
        (4, Verdict.OK),
        (-4, Verdict.OK),
        (10, Verdict.WARN),
        (-10, Verdict.WARN),
        (110, Verdict.WARN),
        (130, Verdict.FAIL),
        (-130, Verdict.FAIL),
    ],
)
def test_a_clock_that_is_apart_is_told_and_from_where_on_it_does_harm_fails(seconds: float, verdict: Verdict) -> None:
    found = compared(seconds)
    assert (found.check, found.verdict) == ("store: clock", verdict)
    assert ("s apart from" in found.found) is (seconds != 0)
    assert ("chrony" in found.advice) is (verdict is not Verdict.OK)


def test_an_answer_that_took_long_is_no_difference() -> None:
    assert compared(-60, took=61).verdict is Verdict.OK
    assert compared(-60, took=40).verdict is Verdict.WARN

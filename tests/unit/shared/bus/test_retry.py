"""Which errors are tried again, when, and for how long."""

import pytest

from contracts.reasons import ReasonCode
from shared.bus.retry import DeadLetter, RetryLater, RetryPolicy, decide
from shared.errors import BlockFailedError, DependencyAwayError, MisconfiguredError

POLICY = RetryPolicy(delays=(1.0, 5.0, 30.0), deadline=100.0, unexpected_attempts=3)
AWAY = DependencyAwayError("no answer")


@pytest.mark.parametrize(
    ("error", "failures", "failing_for", "decision"),
    [
        (AWAY, 1, 0.0, RetryLater(1.0, "dependency_away: no answer")),
        (AWAY, 2, 1.0, RetryLater(5.0, "dependency_away: no answer")),
        (AWAY, 50, 99.9, RetryLater(30.0, "dependency_away: no answer")),
        (AWAY, 50, 100.0, DeadLetter("dependency_away", "DependencyAwayError: no answer")),
        (MisconfiguredError("no URL"), 1, 0.0, DeadLetter("misconfigured", "MisconfiguredError: no URL")),
        (KeyError("gain"), 1, 0.0, RetryLater(1.0, "unexpected: KeyError: 'gain'")),
        (KeyError("gain"), 2, 0.0, RetryLater(5.0, "unexpected: KeyError: 'gain'")),
        (KeyError("gain"), 3, 0.0, DeadLetter("unexpected", "KeyError: 'gain'")),
    ],
)
def test_a_failed_event_is_tried_again_or_given_up(
    error: Exception, failures: int, failing_for: float, decision: RetryLater | DeadLetter
) -> None:
    assert decide(error, failures=failures, failing_for=failing_for, policy=POLICY) == decision


def test_what_failed_together_does_not_come_back_together() -> None:
    policy = RetryPolicy(delays=(1.0, 10.0), spread=(0.5, 1.0, 2.0))
    assert [policy.delay_after(2, chance=chance) for chance in (0.0, 0.5, 0.99)] == [5.0, 10.0, 20.0]
    assert policy.steps == (0.5, 1.0, 2.0, 5.0, 10.0, 20.0)


def test_a_block_that_cannot_be_restored_is_never_tried_again() -> None:
    error = BlockFailedError(ReasonCode.CHECKSUM_MISMATCH, "file X1")
    decision = decide(error, failures=1, failing_for=0.0, policy=POLICY)
    assert isinstance(decision, DeadLetter)
    assert decision.code == "block_failed"

"""What Slurm's words mean for a restore."""

import pytest

from contracts.reasons import ReasonCode
from services.casa_runner.launcher import CasaLostError, MemoryLimitError
from services.casa_runner.launchers.slurm_states import JobState, exit_status, read_accounting, read_queue
from shared.errors import BlockFailedError


def test_the_queue_is_read_by_lines() -> None:
    assert read_queue("12|RUNNING\n13|OUT_OF_MEMORY\n") == (JobState("12", "RUNNING"), JobState("13", "OUT_OF_MEMORY"))
    assert read_queue("") == ()


def test_the_accounting_is_read_with_its_remarks() -> None:
    assert read_accounting("12|CANCELLED by 0|0:15\n13|FAILED|3:0\n14|CANCELLED+|0:0\n") == (
        JobState("12", "CANCELLED", 0, 15),
        JobState("13", "FAILED", 3, 0),
        JobState("14", "CANCELLED", 0, 0),
    )


@pytest.mark.parametrize("state", ["PENDING", "RUNNING", "COMPLETING", "CONFIGURING", "SUSPENDED", "REQUEUED"])
def test_what_works_or_waits_is_not_over(state: str) -> None:
    assert not JobState("1", state).is_over


@pytest.mark.parametrize(("code", "signal", "status"), [(3, 0, 3), (0, 9, -9), (0, 11, -11)])
def test_an_end_of_casas_own_gives_its_status(code: int, signal: int, status: int) -> None:
    assert exit_status(JobState("1", "FAILED", code, signal), memory=1) == status


def test_a_good_end_needs_no_accounting_and_a_bad_one_does() -> None:
    assert exit_status(JobState("1", "COMPLETED"), memory=1) == 0
    assert not JobState("1", "COMPLETED").needs_accounting
    assert JobState("1", "FAILED").needs_accounting


def test_want_of_memory_says_the_limit() -> None:
    with pytest.raises(MemoryLimitError, match="5000"):
        exit_status(JobState("1", "OUT_OF_MEMORY", 0, 125), memory=5000)


@pytest.mark.parametrize("state", ["TIMEOUT", "DEADLINE"])
def test_too_long_a_job_fails_the_block(state: str) -> None:
    with pytest.raises(BlockFailedError) as raised:
        exit_status(JobState("1", state, 0, 0), memory=1)
    assert raised.value.reason is ReasonCode.CASA_FAILED


@pytest.mark.parametrize("state", ["CANCELLED", "NODE_FAIL", "PREEMPTED", "BOOT_FAIL", "REVOKED", "A_NEW_ONE"])
def test_any_other_end_is_tried_again(state: str) -> None:
    with pytest.raises(CasaLostError, match=state):
        exit_status(JobState("1", state, 0, 0), memory=1)

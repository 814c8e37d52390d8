"""Reads what Slurm says of a job, and decides what it means for the restore."""

from dataclasses import dataclass

from contracts.reasons import ReasonCode
from services.casa_runner.launcher import CasaLostError, MemoryLimitError
from shared.errors import BlockFailedError

# https://slurm.schedmd.com/squeue.html, "Job state codes"
_TOO_LONG = frozenset({"TIMEOUT", "DEADLINE"})
_LOST = frozenset({"BOOT_FAIL", "CANCELLED", "NODE_FAIL", "PREEMPTED", "REVOKED"})
_QUEUED = frozenset(
    {"CONFIGURING", "PENDING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "RESV_DEL_HOLD", "SPECIAL_EXIT", "SUSPENDED"}
)
_WORKING = frozenset(
    {
        *("CONFIGURING", "COMPLETING", "PENDING", "RUNNING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "RESIZING"),
        *("RESV_DEL_HOLD", "SIGNALING", "SPECIAL_EXIT", "STAGE_OUT", "STOPPED", "SUSPENDED"),
    }
)


@dataclass(frozen=True)
class JobState:
    """A job as Slurm describes it.

    Attributes
    ----------
    job
        Its number.
    state
        Its state in Slurm's long form.
    code, signal
        Exit code and the signal that ended it, None where the source does not tell.
    """

    job: str
    state: str
    code: int | None = None
    signal: int | None = None

    @property
    def is_over(self) -> bool:
        """Whether it works no more."""
        return self.state not in _WORKING

    @property
    def is_queued(self) -> bool:
        """Whether it has no node yet, or none again."""
        return self.state in _QUEUED

    @property
    def is_worth_keeping(self) -> bool:
        """Whether it works or has done its work."""
        return not self.is_over or self.state == "COMPLETED"

    @property
    def needs_accounting(self) -> bool:
        """Whether the exit status is wanted and only the accounting has it."""
        return self.state == "FAILED" and self.code is None


def read_queue(printed: str) -> tuple[JobState, ...]:
    """Read ``squeue --noheader --format=%A|%T``."""
    columns = (line.strip().partition("|") for line in printed.splitlines())
    return tuple(JobState(job, state) for job, _, state in columns if state)


def read_accounting(printed: str) -> tuple[JobState, ...]:
    """Read ``sacct -XnP --format=JobIDRaw,State,ExitCode``: ``12|CANCELLED by 0|0:15``."""
    states = []
    for line in printed.splitlines():
        job, state, exit_code = line.strip().split("|")
        code, _, signal = exit_code.partition(":")
        states.append(JobState(job, state.split()[0].rstrip("+"), int(code), int(signal or 0)))
    return tuple(states)


def exit_status(state: JobState, *, memory: int) -> int:
    """Decide how a job ended that works no more.

    Parameters
    ----------
    state
        As the accounting has it, or any state that says enough by itself.
    memory
        The job's limit, bytes.

    Returns
    -------
    int
        The exit status, -N if signal N ended it.

    Raises
    ------
    MemoryLimitError, BlockFailedError, CasaLostError
        See `RunningCasa.wait`.
    """
    if state.state == "COMPLETED":
        return 0
    if state.state == "OUT_OF_MEMORY":
        raise MemoryLimitError(memory)
    if state.state in _TOO_LONG:
        raise BlockFailedError(ReasonCode.CASA_FAILED, f"Slurm ended the job {state.job} at its time limit")
    if state.state in _LOST:
        raise CasaLostError(f"the job {state.job} was ended by Slurm or by somebody: {state.state}")
    if state.state != "FAILED" or state.code is None:
        raise CasaLostError(f"the job {state.job} ended, and Slurm does not say how: {state.state}")
    return -state.signal if state.signal else state.code

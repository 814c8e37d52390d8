"""Where CASA runs: the Protocol that every launcher speaks, and what it says of ends that are not CASA's own."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from contracts.reasons import ReasonCode
from services.casa_runner.job import CasaFiles
from shared.errors import BlockFailedError, DependencyAwayError


class CasaLostError(DependencyAwayError):
    """Something other than CASA ended it: a node failed, somebody cancelled the job; it is tried again."""

    code = "casa_lost"


class MemoryLimitError(BlockFailedError):
    """CASA needed more memory than it was given.

    Parameters
    ----------
    limit
        What it was given, bytes, so that it can be given more; None if it is not we who limit it.
    """

    code = "memory_limit"

    def __init__(self, limit: int | None) -> None:
        given = "the memory of its machine" if limit is None else f"the {limit} bytes of memory that it was given"
        super().__init__(ReasonCode.CASA_OUT_OF_MEMORY, f"CASA needed more than {given}")
        self.limit = limit


@dataclass(frozen=True)
class Needs:
    """What one job needs of the place where it runs.

    Attributes
    ----------
    casa_version
        The CASA that is to do it, as a calibration's manifest names it; None: the launcher's default.
    memory
        Bytes that it may take; None: as the launcher is set. A launcher without limits ignores it.
    """

    casa_version: str | None = None
    memory: int | None = None


NO_NEEDS = Needs()


def nobody(_attempt: Path) -> bool:
    """Spare nobody."""
    return False


class RunningCasa(Protocol):
    """A CASA that works."""

    def wait(self, timeout: float) -> int | None:
        """Wait about ``timeout`` seconds, at most a look at the outside system longer.

        Returns
        -------
        int or None
            The exit status, -N if signal N ended it, None if it still works or nobody can tell now.

        Raises
        ------
        MemoryLimitError
            If it was ended for want of memory.
        BlockFailedError
            If it was ended because it took too long.
        CasaLostError
            If something else ended it that has nothing to do with the data.
        """

    def is_queued(self) -> bool:
        """Whether it still waited for a place to work, at the last look: its clocks do not run yet."""

    def stop(self) -> None:
        """End it and all that it started, at once; nothing happens if it has ended."""

    def leave(self) -> bool:
        """Let it work on for the next runner; False if this is not possible, and nothing happens then."""


class Launcher(Protocol):
    """Starts CASA somewhere."""

    def start(self, script: Path, files: CasaFiles, needs: Needs = NO_NEEDS) -> RunningCasa:
        """Start a script with its job, in the attempt's working directory.

        Raises
        ------
        CasaAwayError
            If there is no CASA to start now.
        BlockFailedError
            If there is none of the version that is needed, and never will be (``casa_version_unavailable``).
        """

    def take_up(self, files: CasaFiles) -> RunningCasa | None:
        """Take up what a dead runner started in an attempt, if that works or has come to its end well.

        Returns
        -------
        RunningCasa or None
            None if there is nothing of the kind; then nothing works there any more.

        Raises
        ------
        CasaAwayError
            If nobody can tell now.
        """

    def end_orphans(self, attempts: Path, *, spare: Callable[[Path], bool] = nobody) -> frozenset[Path]:
        """End what works for dead runners in a folder of attempts.

        Parameters
        ----------
        attempts
            The folder; beside each attempt is the lock that its runner holds.
        spare
            Asked of each attempt whose work `take_up` would take up: whether to leave it alone.

        Returns
        -------
        frozenset of Path
            Attempts that were spared.

        Raises
        ------
        CasaAwayError
            If nobody can tell now.
        """

    def cores(self) -> int:
        """Cores that a job which is started now may use without taking them from another."""

    def is_ready(self) -> bool:
        """Whether CASA could be started now."""

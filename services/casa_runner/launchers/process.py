"""Starts CASA as a process of this machine."""

import contextlib
import os
import re
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from services.casa_runner.errors import CasaAwayError
from services.casa_runner.job import CasaFiles
from services.casa_runner.launcher import NO_NEEDS, MemoryLimitError, Needs, nobody
from services.casa_runner.launchers.oom_kills import oom_kills
from services.casa_runner.launchers.places import Places

_TAIL_BYTES = 4096
_GONE_SECONDS = 3.0
_LOOK_SECONDS = 0.01
_NO_MEMORY = re.compile(rb"MemoryError|bad_alloc|Cannot allocate memory")
log = structlog.get_logger()


class CasaProcess:
    """CASA as a child process that leads a process group of its own.

    Parameters
    ----------
    process
        The child.
    printed
        Where its output goes.
    memory
        Bytes that it may take; None if it is not limited.
    killed_before
        How often the kernel had ended processes for want of memory before it began; None if nobody counts.
    """

    def __init__(
        self,
        process: "subprocess.Popen[bytes]",
        *,
        printed: Path,
        memory: int | None,
        killed_before: int | None = None,
    ) -> None:
        self._process = process
        self._printed = printed
        self._memory = memory
        self._killed_before = killed_before
        self._is_stopped = False

    @property
    def pid(self) -> int:
        """The process, which is also its group."""
        return self._process.pid

    def wait(self, timeout: float) -> int | None:
        """Wait for the end, and end what it left behind then; see `RunningCasa.wait`."""
        was_over = self._process.returncode is not None
        try:
            status = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None
        if not was_over:
            self._end_group()
        if status != 0 and not self._is_stopped:
            self._look_for_want_of_memory()
        return status

    def _look_for_want_of_memory(self) -> None:
        """Raise `MemoryLimitError` if it said so, or the kernel has ended it or what it started."""
        if _NO_MEMORY.search(_tail(self._printed)):
            raise MemoryLimitError(self._memory)
        if self._killed_before is not None and (oom_kills() or 0) > self._killed_before:
            raise MemoryLimitError(None)  # not for its own limit, so that a larger one would not help

    def is_queued(self) -> bool:
        """It works at once."""
        return False

    def leave(self) -> bool:
        """Its parent's death ends it."""
        return False

    def stop(self) -> None:
        """Kill the group: what it wrote is thrown away, so there is nothing to tidy for it."""
        if self._process.returncode is not None:
            return
        self._is_stopped = True
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._end_group()

    def _end_group(self) -> None:
        """Kill what is left of the group when its leader has ended, and wait until it is gone.

        A program that the leader started through another, such as a ``casa`` that is a shell's script, hears nothing
        of the leader's end. The group's number is nobody else's while it has members.
        """
        until = time.monotonic() + _GONE_SECONDS
        while time.monotonic() < until:
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except ProcessLookupError:
                return
            with contextlib.suppress(ChildProcessError):  # orphans are ours where we are the first process
                os.waitpid(-self._process.pid, os.WNOHANG)
            time.sleep(_LOOK_SECONDS)
        log.warning("processes_left", group=self._process.pid, consequence="they are killed, and have not ended yet")


class ProcessLauncher:
    """Starts CASA with a program of this machine.

    Parameters
    ----------
    command
        What runs a script of CASA's: a Python that can import casatools and casatasks, or an
        unpacked CASA with its options.
    places
        Where CASAs of particular versions are; None: the command does all versions.
    memory
        Bytes that a process may take for its data (``RLIMIT_DATA``); None: no limit.
    """

    def __init__(
        self, *, command: Sequence[str | Path], places: Places | None = None, memory: int | None = None
    ) -> None:
        self._command = tuple(str(word) for word in command)
        self._places = places
        self._memory = memory

    def start(self, script: Path, files: CasaFiles, needs: Needs = NO_NEEDS) -> CasaProcess:
        """Start a script; see `Launcher.start`. It ends when the runner dies (the script sees to it)."""
        command = self._command if self._places is None else self._places.find(needs).command
        memory = needs.memory if needs.memory is not None else self._memory
        killed_before = oom_kills()
        with files.printed.open("ab") as printed:
            try:
                process = subprocess.Popen(  # noqa: S603 (arguments are our own paths)
                    [*command, script, files.job],
                    cwd=files.attempt.working,
                    env=files.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=printed,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as error:
                raise CasaAwayError(f"CASA's program {command[0]} cannot be started: {error}") from error
        if memory is not None:
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(process.pid, resource.RLIMIT_DATA, (memory, memory))
        return CasaProcess(process, printed=files.printed, memory=memory, killed_before=killed_before)

    def take_up(self, files: CasaFiles) -> None:  # noqa: ARG002 (the Protocol's)
        """Nothing outlives a runner: see `start`."""
        return

    def end_orphans(self, attempts: Path, *, spare: Callable[[Path], bool] = nobody) -> frozenset[Path]:  # noqa: ARG002 (the Protocol's)
        """Nothing is left of a dead runner's: see `start`."""
        return frozenset()

    def cores(self) -> int:
        """Those of this machine that have nothing to do."""
        return max(1, len(os.sched_getaffinity(0)) - round(os.getloadavg()[0]))

    def is_ready(self) -> bool:
        """Whether the program is there."""
        return shutil.which(self._command[0]) is not None


def _tail(path: Path) -> bytes:
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        return stream.read()

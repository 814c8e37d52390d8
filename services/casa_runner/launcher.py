"""Where CASA runs: a small Protocol, and the launcher that starts it as a process of this machine."""

import contextlib
import os
import signal
import subprocess
from pathlib import Path
from typing import Protocol

from services.casa_runner.errors import CasaAwayError
from services.casa_runner.job import CasaFiles


class RunningCasa(Protocol):
    """A CASA that works."""

    def wait(self, timeout: float) -> int | None:
        """Wait at most ``timeout`` seconds; the exit status, -N if signal N ended it, None if it still works."""

    def stop(self) -> None:
        """End it and all that it started, at once; nothing happens if it has ended."""


class Launcher(Protocol):
    """Starts CASA somewhere."""

    def start(self, script: Path, files: CasaFiles) -> RunningCasa:
        """Start a script with its job, in the attempt's working directory.

        Raises
        ------
        CasaAwayError
            If there is no CASA to start.
        """

    def is_ready(self) -> bool:
        """Whether CASA could be started now."""


class CasaProcess:
    """CASA as a child process that leads a process group of its own."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """The process, which is also its group."""
        return self._process.pid

    def wait(self, timeout: float) -> int | None:
        """Wait for the end; see `RunningCasa.wait`."""
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None

    def stop(self) -> None:
        """Kill the group: what it wrote is thrown away, so there is nothing to tidy for it."""
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


class ProcessLauncher:
    """Starts CASA with a Python of this machine.

    Parameters
    ----------
    python
        A Python that can import casatools and casatasks.
    """

    def __init__(self, *, python: Path) -> None:
        self._python = python

    def start(self, script: Path, files: CasaFiles) -> CasaProcess:
        """Start a script; see `Launcher.start`. It ends when the runner dies (the script sees to it)."""
        with files.printed.open("ab") as printed:
            try:
                process = subprocess.Popen(  # noqa: S603 (arguments are our own paths)
                    [self._python, script, files.job],
                    cwd=files.attempt.working,
                    env=files.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=printed,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as error:
                raise CasaAwayError(f"CASA's Python {self._python} cannot be started: {error}") from error
        return CasaProcess(process)

    def is_ready(self) -> bool:
        """Whether the Python is there."""
        return os.access(self._python, os.X_OK)

"""Speaks to Slurm by its programs: sbatch, squeue, sacct and scancel."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from services.casa_runner.errors import CasaAwayError
from services.casa_runner.launchers.slurm_states import JobState, read_accounting, read_queue

_ACCOUNTED_DAYS = 30


class SlurmPrograms:
    """The programs of one cluster.

    Nothing of the runner's environment is passed on: it may hold secrets, and ``SBATCH_…`` would change jobs.

    Parameters
    ----------
    folder
        Where the programs are.
    configuration
        ``slurm.conf``; None: as Slurm finds it.
    timeout
        Longest that one may take, seconds.
    """

    def __init__(self, *, folder: Path, configuration: Path | None, timeout: float) -> None:
        self._folder = folder
        self._timeout = timeout
        self._environment = {"PATH": os.defpath, "LANG": "C.UTF-8"}
        if configuration is not None:
            self._environment["SLURM_CONF"] = str(configuration)

    def submit(self, options: Sequence[str], command: Sequence[str]) -> str:
        """Submit a script with its arguments; return the job's number."""
        # In a federation it is "number;cluster".
        return self._run("sbatch", "--parsable", *options, *command).strip().split(";")[0]

    def queued(self, name: str, job: str | None = None) -> JobState | None:
        """Look for a job of ours in the queue, which forgets those that ended some minutes ago.

        Parameters
        ----------
        name
            Its name, always asked for: a controller that lost its last seconds gives numbers twice.
        job
            Its number, if it is known.
        """
        found = self._queue("--me", f"--name={name}", "--states=all")
        return next((state for state in found if job in (None, state.job)), None)

    def accounted(self, name: str, job: str | None = None) -> JobState | None:
        """Look for a job of ours in the accounting; see `queued`."""
        found = self._sacct(f"--name={name}", f"--starttime=now-{_ACCOUNTED_DAYS}days")
        return next((state for state in found if job in (None, state.job)), None)

    def kill(self, job: str) -> None:
        """Kill a job at once; plain scancel would leave it the time of KillWait. One that waits is cancelled."""
        self._run("scancel", "--batch", "--signal=KILL", job)

    def answers(self) -> bool:
        """Whether the controller answers."""
        try:
            self._run("squeue", "--noheader", "--me", "--format=%A")
        except CasaAwayError:
            return False
        return True

    def _queue(self, *selection: str) -> tuple[JobState, ...]:
        return read_queue(self._run("squeue", "--noheader", "--format=%A|%T", *selection))

    def _sacct(self, *selection: str) -> tuple[JobState, ...]:
        columns = "--format=JobIDRaw,State,ExitCode"
        return read_accounting(self._run("sacct", "--allocations", "--noheader", "--parsable2", columns, *selection))

    def _run(self, program: str, *arguments: str) -> str:
        try:
            done = subprocess.run(  # noqa: S603 (arguments are our own; no shell reads them)
                [self._folder / program, *arguments],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=self._timeout,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise CasaAwayError(f"Slurm's {program} did not answer within {self._timeout:.0f} seconds") from error
        except OSError as error:
            raise CasaAwayError(f"Slurm's {program} cannot be started: {error}") from error
        if done.returncode != 0:
            raise CasaAwayError(f"Slurm's {program} failed: {done.stderr.strip()}")
        return done.stdout

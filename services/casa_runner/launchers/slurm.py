"""Starts CASA as a job of a Slurm cluster, which works on when the runner dies and is taken up again."""

import math
import time
from collections.abc import Callable
from pathlib import Path

import structlog
from pydantic import BaseModel, ConfigDict

from services.casa_runner.errors import CasaAwayError
from services.casa_runner.job import CasaFiles
from services.casa_runner.launcher import NO_NEEDS, CasaLostError, Needs, nobody
from services.casa_runner.launchers.handing_over import hand_over, is_held
from services.casa_runner.launchers.places import Places
from services.casa_runner.launchers.settings import CasaPlace, SlurmSettings
from services.casa_runner.launchers.slurm_programs import SlurmPrograms
from services.casa_runner.launchers.slurm_states import JobState, exit_status

log = structlog.get_logger()

# The whole batch script: what it runs are its arguments, so nothing is pasted into a text that a shell reads.
_BATCH_SCRIPT = '#!/bin/sh\nexec "$@"\n'
_RECORD = "slurm.json"
_MEBIBYTE = 2**20
_KILLED = -9
_SOON = 0.2
_STOP_SECONDS = 5.0
_ACCOUNTING_SECONDS = 60.0


class SlurmRecord(BaseModel):
    """What the attempt's directory knows of its job.

    Attributes
    ----------
    name
        The job's name, which no other has.
    memory
        Its limit, bytes.
    job
        Its number; None from just before it is submitted until it is known.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    memory: int
    job: str | None = None

    def write(self, logs: Path) -> None:
        """Write the record whole or not at all."""
        draft = logs / f"{_RECORD}.draft"
        draft.write_text(self.model_dump_json())
        draft.rename(logs / _RECORD)

    @classmethod
    def read(cls, logs: Path) -> "SlurmRecord | None":
        """Read the record; None if there was no thought of a job yet."""
        try:
            return cls.model_validate_json((logs / _RECORD).read_bytes())
        except FileNotFoundError:
            return None


class SlurmJob:
    """CASA as a job.

    Parameters
    ----------
    programs
        The cluster's programs.
    job
        The job's number.
    name
        Its name, which no other has.
    memory
        Its limit, bytes.
    last_word
        File that CASA writes last; when it is there the end is near.
    poll_interval
        Seconds between two looks while it is not.
    """

    def __init__(
        self, programs: SlurmPrograms, *, job: str, name: str, memory: int, last_word: Path, poll_interval: float
    ) -> None:
        self._programs = programs
        self._name = name
        self._job = job
        self._memory = memory
        self._last_word = last_word
        self._poll_interval = poll_interval
        self._looked_at = -math.inf
        self._missing_since: float | None = None
        self._is_over = False
        self._is_queued = True
        self._status: int | None = None

    def wait(self, timeout: float) -> int | None:
        """Wait for the end; see `RunningCasa.wait`. A controller that is away has nothing to tell."""
        until = time.monotonic() + timeout
        while self._status is None:
            if self._is_time_to_look() and (state := self._look()) is not None and state.is_over:
                self._is_over = True
                self._status = exit_status(state, memory=self._memory)
                break
            # Looks that take longer than their interval do not stretch a wait.
            if (left := until - time.monotonic()) <= 0:
                return None
            time.sleep(min(left, _SOON))
        return self._status

    def is_queued(self) -> bool:
        """Whether Slurm had no node for it yet."""
        return self._is_queued

    def leave(self) -> bool:
        """Let it work on; it is found by its record."""
        return True

    def stop(self) -> None:
        """Kill the job and wait until it works no more."""
        if self._is_over:
            return
        self._is_over, self._status = True, _KILLED
        try:
            end_job(self._programs, name=self._name, job=self._job)
        except CasaAwayError as error:
            log.warning("slurm_job_not_ended", job=self._job, cause=str(error), consequence="it ends at its time limit")

    def _is_time_to_look(self) -> bool:
        interval = min(_SOON, self._poll_interval) if self._last_word.exists() else self._poll_interval
        return time.monotonic() - self._looked_at >= interval

    def _look(self) -> JobState | None:
        """Ask the queue, and the accounting of what the queue has forgotten or does not tell."""
        self._looked_at = time.monotonic()
        try:
            state = self._programs.queued(self._name, self._job)
            if state is None or state.needs_accounting:
                state = self._accounted()
        except CasaAwayError as error:
            log.warning("slurm_away", job=self._job, cause=str(error), consequence="the job works on")
            return None
        self._is_queued = state is not None and state.is_queued
        return state

    def _accounted(self) -> JobState | None:
        """Ask the accounting, which hears of an end some moments after the queue."""
        state = self._programs.accounted(self._name, self._job)
        if state is not None and state.is_over:
            return state
        now = time.monotonic()
        self._missing_since = self._missing_since or now
        if now - self._missing_since > _ACCOUNTING_SECONDS:
            self._is_over, self._status = True, _KILLED
            raise CasaLostError(f"Slurm's accounting knows no end of the job {self._job}; is slurmdbd at work?")
        return None


def end_job(programs: SlurmPrograms, *, name: str, job: str) -> None:
    """Kill a job and wait until it works no more, for a while."""
    programs.kill(job)
    until = time.monotonic() + _STOP_SECONDS
    while (state := programs.queued(name, job)) is not None and not state.is_over:
        if time.monotonic() > until:
            log.warning("slurm_job_ends_slowly", job=job, state=state.state)
            return
        time.sleep(_SOON)


class SlurmLauncher:
    """Starts CASA as jobs of a cluster whose nodes see the scratch directory at the same path.

    Parameters
    ----------
    settings
        The cluster and the limits.
    places
        The CASAs.
    """

    def __init__(self, *, settings: SlurmSettings, places: Places) -> None:
        self._settings = settings
        self._places = places
        self._programs = SlurmPrograms(
            folder=settings.programs, configuration=settings.configuration, timeout=settings.answer_timeout
        )

    def start(self, script: Path, files: CasaFiles, needs: Needs = NO_NEEDS) -> SlurmJob:
        """Submit a script; see `Launcher.start`."""
        place = self._places.find(needs)
        memory = needs.memory if needs.memory is not None else int(self._settings.memory)
        record = SlurmRecord(name=f"alma-restore-{files.attempt.name}", memory=memory)
        record.write(files.attempt.logs)
        job = self._submit(place, hand_over(script, files), files, record)
        log.info("slurm_job_submitted", job=job)
        record.model_copy(update={"job": job}).write(files.attempt.logs)
        return self._running(job, record, files.result)

    def take_up(self, files: CasaFiles) -> SlurmJob | None:
        """Take up the job that an attempt's record names; see `Launcher.take_up`."""
        record = SlurmRecord.read(files.attempt.logs)
        if record is None or (state := self._find(record)) is None or not state.is_worth_keeping:
            return None
        log.info("slurm_job_taken_up", job=state.job, state=state.state)
        record.model_copy(update={"job": state.job}).write(files.attempt.logs)
        return self._running(state.job, record, files.result)

    def end_orphans(self, attempts: Path, *, spare: Callable[[Path], bool] = nobody) -> frozenset[Path]:
        """End or spare the jobs of dead runners; see `Launcher.end_orphans`."""
        spared = set()
        for path in sorted(attempts.glob(f"*/logs/{_RECORD}")):
            record, attempt = SlurmRecord.read(path.parent), path.parents[1]
            if record is None or is_held(attempt):
                continue
            if (state := self._find(record)) is None:
                continue
            if state.is_worth_keeping and spare(attempt):
                spared.add(attempt)
            elif not state.is_over:
                end_job(self._programs, name=record.name, job=state.job)
                log.warning("orphaned_slurm_job_ended", job=state.job, attempt=attempt.name)
        return frozenset(spared)

    def cores(self) -> int:
        """As many as are asked of Slurm."""
        return self._settings.cores

    def is_ready(self) -> bool:
        """Whether the controller answers."""
        return self._programs.answers()

    def _running(self, job: str, record: SlurmRecord, last_word: Path) -> SlurmJob:
        return SlurmJob(
            self._programs,
            job=job,
            name=record.name,
            memory=record.memory,
            last_word=last_word,
            poll_interval=self._settings.poll_interval,
        )

    def _find(self, record: SlurmRecord) -> JobState | None:
        """Find a job by its name, since a runner may die before it writes the number down."""
        return self._programs.queued(record.name, record.job) or self._programs.accounted(record.name, record.job)

    def _submit(self, place: CasaPlace, script: Path, files: CasaFiles, record: SlurmRecord) -> str:
        batch = files.attempt.home / "batch.sh"
        batch.write_text(_BATCH_SCRIPT)
        environment = [f"{name}={value}" for name, value in files.environment.items()]
        command = [str(batch), "/usr/bin/env", "-i", *environment, *place.command, str(script), str(files.job)]
        return self._programs.submit(self._options(place, files, record), command)

    def _options(self, place: CasaPlace, files: CasaFiles, record: SlurmRecord) -> list[str]:
        settings = self._settings
        chosen = {
            "job-name": record.name,
            "chdir": files.attempt.working,
            "output": str(files.printed).replace("%", "%%"),
            "open-mode": "append",
            "input": "/dev/null",
            "export": "NIL",
            "nodes": 1,
            "ntasks": 1,
            "cpus-per-task": settings.cores,
            "mem": f"{math.ceil(record.memory / _MEBIBYTE)}M",
            "time": settings.time_limit,
            "partition": settings.partition,
            "account": settings.account,
            "constraint": place.constraint,
        }
        return [
            "--no-requeue",
            *(f"--{name}={value}" for name, value in chosen.items() if value is not None),
            *settings.options,
        ]

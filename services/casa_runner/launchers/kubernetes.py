"""Starts CASA as a Kubernetes Job, which works on when the runner dies and is taken up again."""

import math
import os
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from services.casa_runner.errors import CasaAwayError
from services.casa_runner.job import CasaFiles
from services.casa_runner.launcher import NO_NEEDS, CasaLostError, Needs, nobody
from services.casa_runner.launchers.handing_over import hand_over, is_held
from services.casa_runner.launchers.kubernetes_api import KubernetesApi
from services.casa_runner.launchers.kubernetes_manifest import LABEL, job_manifest, job_name, memory_of
from services.casa_runner.launchers.kubernetes_states import (
    check_images,
    exit_status,
    has_begun,
    is_worth_keeping,
    pod_names,
)
from services.casa_runner.launchers.places import Places
from services.casa_runner.launchers.settings import KubernetesSettings
from shared.errors import MisconfiguredError, RestoreError

log = structlog.get_logger()

_KILLED = -9
_STEP = 0.2
_STOP_SECONDS = 20.0


class KubernetesCasa:
    """CASA as a Job.

    Parameters
    ----------
    api
        The cluster.
    name
        The job's name.
    memory
        Its limit, bytes.
    files
        Its files: its output is written there when it ends, and its last word is looked for.
    poll_interval
        Seconds between two looks while there is no last word.
    """

    def __init__(self, api: KubernetesApi, *, name: str, memory: int, files: CasaFiles, poll_interval: float) -> None:
        self._api = api
        self._name = name
        self._memory = memory
        self._files = files
        self._poll_interval = poll_interval
        self._looked_at = -math.inf
        self._is_queued = True
        self._status: int | None = None

    def wait(self, timeout: float) -> int | None:
        """Wait for the end; see `RunningCasa.wait`. A cluster that is away has nothing to tell."""
        until = time.monotonic() + timeout
        while self._status is None:
            if self._is_time_to_look():
                self._look()
            if self._status is None and not _time_left(until):
                return None
        return self._status

    def is_queued(self) -> bool:
        """Whether its pod had no node yet."""
        return self._is_queued

    def leave(self) -> bool:
        """Let it work on; it is found by its name."""
        return True

    def stop(self) -> None:
        """Delete the job and wait until its pod is gone."""
        if self._status is not None:
            return
        self._status = _KILLED
        self._remove()

    def _is_time_to_look(self) -> bool:
        interval = min(_STEP, self._poll_interval) if self._files.result.exists() else self._poll_interval
        return time.monotonic() - self._looked_at >= interval

    def _look(self) -> None:
        self._looked_at = time.monotonic()
        try:
            job = self._api.job(self._name)
            pods = self._api.pods(self._name)
        except CasaAwayError as error:
            log.warning("kubernetes_away", job=self._name, cause=str(error), consequence="the job works on")
            return
        if job is None:
            self._status = _KILLED
            raise CasaLostError(f"the job {self._name} was removed by somebody")
        self._is_queued = not has_begun(pods)
        try:
            check_images(pods)
            self._status = exit_status(job, pods, memory=self._memory)
        except RestoreError:
            self._status = _KILLED
            self._remove()
            raise
        if self._status is not None:
            self._remove()

    def _remove(self) -> None:
        """Keep what the pod printed, and delete the job."""
        try:
            with self._files.printed.open("ab") as printed:
                for pod in pod_names(self._api.pods(self._name)):
                    printed.write(self._api.log(pod))
            remove(self._api, self._name)
        except CasaAwayError as error:
            log.warning("job_not_removed", job=self._name, cause=str(error), consequence="it ends at its deadline")


def _time_left(until: float) -> bool:
    """Sleep a little and say whether there is time left; looks that take long do not stretch a wait."""
    left = until - time.monotonic()
    time.sleep(max(0.0, min(left, _STEP)))
    return left > 0


def remove(api: KubernetesApi, name: str) -> None:
    """Delete a job and wait until it is gone, which it is after its pod."""
    api.delete(name)
    until = time.monotonic() + _STOP_SECONDS
    while api.job(name) is not None:
        if time.monotonic() > until:
            log.warning("kubernetes_job_ends_slowly", job=name)
            return
        time.sleep(_STEP / 4)


class KubernetesLauncher:
    """Starts CASA as Jobs of the cluster that the runner is in, on a volume that both see at the same path.

    Parameters
    ----------
    settings
        The cluster and the limits.
    places
        The CASAs and their images.

    Raises
    ------
    MisconfiguredError
        If jobs would run as another user than the runner, who could not remove what they write.
    """

    def __init__(self, *, settings: KubernetesSettings, places: Places) -> None:
        if os.getuid() not in (0, settings.uid):
            raise MisconfiguredError(f"the runner is user {os.getuid()}: set LAUNCHER__UID to that")
        self._settings = settings
        self._places = places
        self._api = KubernetesApi(settings)

    def start(self, script: Path, files: CasaFiles, needs: Needs = NO_NEEDS) -> KubernetesCasa:
        """Create a job; see `Launcher.start`."""
        settings, name = self._settings, job_name(files.attempt.name)
        memory = needs.memory if needs.memory is not None else int(settings.memory)
        place = self._places.find(needs)
        if place.image is None:
            raise MisconfiguredError("no image is set for this CASA: set LAUNCHER__CASA__IMAGE")
        inside = hand_over(script, files)
        self._api.create(job_manifest(place=place, script=inside, files=files, memory=memory, settings=settings))
        log.info("kubernetes_job_created", job=name)
        return self._running(name, memory, files)

    def take_up(self, files: CasaFiles) -> KubernetesCasa | None:
        """Take up the job that has an attempt's name, or remove what is left of it; see `Launcher.take_up`."""
        name = job_name(files.attempt.name)
        job = self._api.job(name)
        if job is None:
            return None
        if not is_worth_keeping(job):
            remove(self._api, name)
            return None
        log.info("kubernetes_job_taken_up", job=name)
        return self._running(name, memory_of(job), files)

    def end_orphans(self, attempts: Path, *, spare: Callable[[Path], bool] = nobody) -> frozenset[Path]:
        """End or spare the jobs of dead runners; see `Launcher.end_orphans`."""
        spared = set()
        for job in self._api.jobs():
            attempt = Path(job["metadata"].get("annotations", {}).get(LABEL, ""))
            if attempt.parent != attempts or is_held(attempt):
                continue
            if is_worth_keeping(job) and attempt.is_dir() and spare(attempt):
                spared.add(attempt)
            else:
                remove(self._api, job["metadata"]["name"])
                log.warning("orphaned_kubernetes_job_removed", attempt=attempt.name)
        return frozenset(spared)

    def cores(self) -> int:
        """As they are limited."""
        return max(1, int(self._settings.cores))

    def is_ready(self) -> bool:
        """Whether the cluster lets us make jobs."""
        return self._api.answers()

    def _running(self, name: str, memory: int, files: CasaFiles) -> KubernetesCasa:
        return KubernetesCasa(
            self._api, name=name, memory=memory, files=files, poll_interval=self._settings.poll_interval
        )

"""Starts CASA as a Kubernetes Job, which works on when the runner dies and is taken up again."""

import contextlib
import json
import math
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import structlog

from services.casa_runner.errors import CasaAwayError
from services.casa_runner.job import CasaFiles
from services.casa_runner.launcher import NO_NEEDS, CasaLostError, Needs
from services.casa_runner.launchers.handing_over import hand_over, is_held
from services.casa_runner.launchers.kubernetes_manifest import LABEL, exit_status, job_manifest, job_name
from services.casa_runner.launchers.places import Places
from services.casa_runner.launchers.settings import KubernetesSettings
from shared.errors import MisconfiguredError, RestoreError

log = structlog.get_logger()

_NOT_FOUND = "NotFound"
_EXISTS = "AlreadyExists"
_KILLED = -9
_STEP = 0.2


class Kubectl:
    """Speaks to one namespace of a cluster by ``kubectl``, with the account of the pod that it runs in.

    Parameters
    ----------
    settings
        The program, the namespace and the patience.
    """

    def __init__(self, settings: KubernetesSettings) -> None:
        self._settings = settings

    def create(self, manifest: dict[str, Any]) -> None:
        """Create an object; one of the same name is left as it is."""
        try:
            self._run("create", "--filename=-", given=json.dumps(manifest))
        except CasaAwayError as error:
            if _EXISTS not in str(error):
                raise

    def job(self, name: str) -> dict[str, Any] | None:
        """Read a job; None if there is none of the name."""
        try:
            return dict(json.loads(self._run("get", "job", name, "--output=json")))
        except CasaAwayError as error:
            if _NOT_FOUND in str(error):
                return None
            raise

    def pods(self, name: str) -> dict[str, Any]:
        """List the pods of a job."""
        return dict(json.loads(self._run("get", "pods", f"--selector={LABEL}={name}", "--output=json")))

    def log(self, name: str) -> str:
        """Read what a job's container printed."""
        return self._run("logs", f"job/{name}", "--limit-bytes=50000000")

    def delete(self, name: str) -> None:
        """Delete a job with its pods, and wait until they are gone."""
        self._run(
            "delete", "job", name, "--ignore-not-found", "--cascade=foreground", "--grace-period=0", "--timeout=20s"
        )

    def answers(self) -> bool:
        """Whether the cluster lets us make jobs."""
        try:
            return self._run("auth", "can-i", "create", "jobs").strip() == "yes"
        except CasaAwayError:
            return False

    def _run(self, *arguments: str, given: str | None = None) -> str:
        settings = self._settings
        try:
            done = subprocess.run(  # noqa: S603 (arguments are our own; no shell reads them)
                [settings.kubectl, f"--namespace={settings.namespace}", *arguments],
                input=given,
                capture_output=True,
                text=True,
                timeout=settings.answer_timeout,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise CasaAwayError(f"kubectl {arguments[0]} does not work: {error}") from error
        if done.returncode != 0:
            raise CasaAwayError(f"kubectl {arguments[0]} failed: {done.stderr.strip()}")
        return done.stdout


class KubernetesCasa:
    """CASA as a Job.

    Parameters
    ----------
    kubectl
        The cluster.
    name
        The job's name.
    memory
        Its limit, bytes.
    printed
        File for its output, written when it ends.
    poll_interval
        Seconds between two looks.
    """

    def __init__(self, kubectl: Kubectl, *, name: str, memory: int, printed: Path, poll_interval: float) -> None:
        self._kubectl = kubectl
        self._name = name
        self._memory = memory
        self._printed = printed
        self._poll_interval = poll_interval
        self._looked_at = -math.inf
        self._status: int | None = None

    def wait(self, timeout: float) -> int | None:
        """Wait for the end; see `RunningCasa.wait`. A cluster that is away has nothing to tell."""
        until = time.monotonic() + timeout
        while self._status is None:
            if time.monotonic() - self._looked_at >= self._poll_interval:
                self._look()
            elif (left := until - time.monotonic()) <= 0:
                return None
            else:
                time.sleep(min(left, _STEP))
        return self._status

    def stop(self) -> None:
        """Delete the job and its pod."""
        if self._status is not None:
            return
        self._status = _KILLED
        self._remove()

    def _look(self) -> None:
        self._looked_at = time.monotonic()
        try:
            job = self._kubectl.job(self._name)
            pods = self._kubectl.pods(self._name)
        except CasaAwayError as error:
            log.warning("kubernetes_away", job=self._name, cause=str(error), consequence="the job works on")
            return
        if job is None:
            self._status = _KILLED
            raise CasaLostError(f"the job {self._name} was removed by somebody")
        try:
            self._status = exit_status(job, pods, memory=self._memory)
        except RestoreError:
            self._status = _KILLED
            self._remove()
            raise
        if self._status is not None:
            self._remove()

    def _remove(self) -> None:
        with contextlib.suppress(CasaAwayError), self._printed.open("a") as printed:
            printed.write(self._kubectl.log(self._name))
        try:
            self._kubectl.delete(self._name)
        except CasaAwayError as error:
            log.warning("job_not_removed", job=self._name, cause=str(error), consequence="it ends at its deadline")


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
        self._kubectl = Kubectl(settings)

    def start(self, script: Path, files: CasaFiles, needs: Needs = NO_NEEDS) -> KubernetesCasa:
        """Create a job, or take up the one that the attempt has; see `Launcher.start`."""
        settings, name = self._settings, job_name(files.attempt.name)
        memory = needs.memory if needs.memory is not None else int(settings.memory)
        if self._kubectl.job(name) is not None:
            log.info("kubernetes_job_taken_up", job=name)
        else:
            place = self._places.find(needs)
            if place.image is None:
                raise MisconfiguredError("no image is set for this CASA: set LAUNCHER__CASA__IMAGE")
            self._kubectl.create(
                job_manifest(
                    place=place, script=hand_over(script, files), files=files, memory=memory, settings=settings
                )
            )
            log.info("kubernetes_job_created", job=name)
        return KubernetesCasa(
            self._kubectl, name=name, memory=memory, printed=files.printed, poll_interval=settings.poll_interval
        )

    def end_orphans(self, attempts: Path, *, spare: bool = False) -> frozenset[Path]:
        """End or spare the jobs of dead runners; see `Launcher.end_orphans`."""
        abandoned = [path for path in attempts.iterdir() if path.is_dir() and not is_held(path)]
        found = frozenset(path for path in abandoned if self._kubectl.job(job_name(path.name)) is not None)
        if spare:
            return found
        for path in found:
            self._kubectl.delete(job_name(path.name))
            log.warning("orphaned_kubernetes_job_removed", attempt=path.name)
        return frozenset()

    def is_ready(self) -> bool:
        """Whether the cluster lets us make jobs."""
        return self._kubectl.answers()

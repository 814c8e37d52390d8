"""Writes the Kubernetes Job of one execution block, and reads what became of it."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from contracts.reasons import ReasonCode
from services.casa_runner.job import CasaFiles
from services.casa_runner.launcher import CasaLostError, MemoryLimitError
from services.casa_runner.launchers.handing_over import status_of
from services.casa_runner.launchers.settings import CasaPlace, KubernetesSettings
from shared.errors import BlockFailedError

LABEL = "alma-restore.org/attempt"
_CONTAINER = "casa"
_VOLUME = "scratch"


def job_name(attempt: str) -> str:
    """Name the job of an attempt: names of Kubernetes are short and lower-case, and this one has no double."""
    return f"casa-{hashlib.sha256(attempt.encode()).hexdigest()[:20]}"


def job_manifest(
    *, place: CasaPlace, script: Path, files: CasaFiles, memory: int, settings: KubernetesSettings
) -> dict[str, Any]:
    """Write the manifest of a job that runs once, and never again if its pod is lost.

    The pod sees its attempt's directory of the shared volume, at the runner's own path, and can write nowhere
    else; it is not root, has no capabilities, no account of the cluster's and no service's addresses. That it has
    no network is the business of a NetworkPolicy for the label ``app.kubernetes.io/name: casa-job``.
    """
    name = job_name(files.attempt.name)
    labels = {"app.kubernetes.io/name": "casa-job", LABEL: name}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "namespace": settings.namespace,
            "labels": labels,
            "annotations": {LABEL: str(files.attempt.root)},
        },
        "spec": {
            "backoffLimit": 0,
            "completions": 1,
            "parallelism": 1,
            "activeDeadlineSeconds": settings.deadline,
            "ttlSecondsAfterFinished": settings.keep_ended,
            "template": {
                "metadata": {"labels": labels},
                "spec": _pod(place, script, files, memory, settings),
            },
        },
    }


def _pod(place: CasaPlace, script: Path, files: CasaFiles, memory: int, settings: KubernetesSettings) -> dict[str, Any]:
    root = files.attempt.root
    resources = {"cpu": f"{round(settings.cores * 1000)}m", "memory": str(memory)}
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 0,
        "nodeSelector": settings.node_selector,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": settings.uid,
            "runAsGroup": settings.gid,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumes": [{"name": _VOLUME, "persistentVolumeClaim": {"claimName": settings.claim}}],
        "containers": [
            {
                "name": _CONTAINER,
                "image": place.image,
                # env -i: an image's own variables are not the job's.
                "command": ["env", "-i", *(f"{name}={value}" for name, value in files.environment.items())],
                "args": [*place.command, str(script), str(files.job)],
                "workingDir": str(files.attempt.working),
                "resources": {"requests": resources, "limits": resources},
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
                "volumeMounts": [
                    {
                        "name": _VOLUME,
                        "mountPath": str(root),
                        "subPath": str(root.relative_to(settings.claim_path)),
                    }
                ],
            }
        ],
    }


def exit_status(job: Mapping[str, Any], pods: Mapping[str, Any], *, memory: int) -> int | None:
    """Decide what became of a job.

    Parameters
    ----------
    job
        The Job, as ``kubectl get --output=json`` tells it.
    pods
        The list of its pods.
    memory
        Its limit, bytes.

    Returns
    -------
    int or None
        The exit status, -N if signal N ended it; None if it still waits or works.

    Raises
    ------
    MemoryLimitError, BlockFailedError, CasaLostError
        See `RunningCasa.wait`.
    """
    conditions = {
        condition["type"]: str(condition.get("reason", ""))
        for condition in job.get("status", {}).get("conditions", ())
        if condition.get("status") == "True"
    }
    if "Complete" in conditions:
        return 0
    if "Failed" not in conditions:
        return None
    name = job["metadata"]["name"]
    if conditions["Failed"] == "DeadlineExceeded":
        raise BlockFailedError(ReasonCode.CASA_FAILED, f"Kubernetes ended the job {name} at its deadline")
    end = _container_end(pods)
    if end is None:
        raise CasaLostError(f"the pod of the job {name} was lost: {conditions['Failed']}")
    if end.get("reason") == "OOMKilled":
        raise MemoryLimitError(memory)
    return status_of(int(end["exitCode"]))


def _container_end(pods: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Find how CASA's container ended; None if its pod is gone or was evicted before it could."""
    for pod in pods.get("items", ()):
        for container in pod.get("status", {}).get("containerStatuses", ()):
            end = container.get("state", {}).get("terminated")
            if container["name"] == _CONTAINER and end is not None and pod["status"].get("reason") != "Evicted":
                return dict(end)
    return None

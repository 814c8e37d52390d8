"""Writes the Kubernetes Job of one execution block."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from services.casa_runner.job import CasaFiles
from services.casa_runner.launchers.settings import CasaPlace, KubernetesSettings

LABEL = "alma-restore.org/attempt"
APP = "casa-job"
CONTAINER = "casa"
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
    labels = {"app.kubernetes.io/name": APP, LABEL: name}
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
        # The pod's own deadline: the job's would run while the pod waits for a node.
        "activeDeadlineSeconds": settings.deadline,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        # With none the pod would be gone from the cluster's books before its processes are.
        "terminationGracePeriodSeconds": 1,
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
                "name": CONTAINER,
                "image": place.image,
                # env -i: an image's own variables are not the job's.
                "command": ["env", "-i", *(_literal(f"{name}={value}") for name, value in files.environment.items())],
                "args": [_literal(word) for word in (*place.command, str(script), str(files.job))],
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


def _literal(word: str) -> str:
    """Keep Kubernetes from reading ``$(NAME)`` in a command as a variable."""
    return word.replace("$", "$$")


def memory_of(job: Mapping[str, Any]) -> int:
    """Read the limit of a job's memory, bytes, as `job_manifest` wrote it."""
    [container] = job["spec"]["template"]["spec"]["containers"]
    return int(container["resources"]["limits"]["memory"])

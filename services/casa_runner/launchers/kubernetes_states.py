"""Reads what Kubernetes says of a job and its pods, and decides what it means for the restore."""

from collections.abc import Iterator, Mapping
from typing import Any

from contracts.reasons import ReasonCode
from services.casa_runner.errors import CasaAwayError
from services.casa_runner.launcher import CasaLostError, MemoryLimitError
from services.casa_runner.launchers.handing_over import status_of
from services.casa_runner.launchers.kubernetes_manifest import CONTAINER
from shared.errors import BlockFailedError

Document = Mapping[str, Any]

# Reasons for which a container waits and will not begin by itself; ErrImagePull alone may be a moment's trouble.
_NEVER_BEGINS = frozenset(
    {"CreateContainerConfigError", "ErrImageNeverPull", "ImageInspectError", "ImagePullBackOff", "InvalidImageName"}
)
_TOO_LONG = "DeadlineExceeded"


def exit_status(job: Document, pods: Document, *, memory: int) -> int | None:
    """Decide what became of a job.

    Parameters
    ----------
    job
        The Job as the cluster tells it.
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
    conditions = _conditions(job)
    if "Complete" in conditions:
        return 0
    if "Failed" not in conditions:
        return None
    name = job["metadata"]["name"]
    if _TOO_LONG in (conditions["Failed"], *(_status(pod).get("reason") for pod in _items(pods))):
        raise BlockFailedError(ReasonCode.CASA_FAILED, f"Kubernetes ended the job {name} at its deadline")
    end = _container_end(pods)
    if end is None:
        why = " ".join(_words_of_lost_pods(pods)) or conditions["Failed"]
        raise CasaLostError(f"the pod of the job {name} was lost: {why}")
    if end.get("reason") == "OOMKilled":
        raise MemoryLimitError(memory)
    return status_of(int(end["exitCode"]))


def is_worth_keeping(job: Document) -> bool:
    """Whether a job works, waits or has done its work."""
    return "Failed" not in _conditions(job) and "deletionTimestamp" not in job["metadata"]


def has_begun(pods: Document) -> bool:
    """Whether CASA's container has begun in any pod."""
    return any("waiting" not in state for pod in _items(pods) for state in _states(pod))


def check_images(pods: Document) -> None:
    """Make sure that CASA's container can begin.

    Raises
    ------
    CasaAwayError
        If it waits for an image that cannot be had, or for something else that will not come.
    """
    for pod in _items(pods):
        for state in _states(pod):
            waiting = state.get("waiting", {})
            if waiting.get("reason") in _NEVER_BEGINS:
                raise CasaAwayError(f"CASA's container cannot begin: {waiting['reason']} {waiting.get('message', '')}")


def pod_names(pods: Document) -> list[str]:
    """Name pods."""
    return [str(pod["metadata"]["name"]) for pod in _items(pods)]


def _items(pods: Document) -> list[Document]:
    return list(pods.get("items") or ())


def _status(pod: Document) -> Document:
    return dict(pod.get("status") or {})


def _states(pod: Document) -> Iterator[Document]:
    """Yield the state of CASA's container in a pod."""
    for container in _status(pod).get("containerStatuses") or ():
        if container["name"] == CONTAINER:
            yield container.get("state") or {"waiting": {}}


def _conditions(thing: Document) -> dict[str, str]:
    """Read the conditions that hold, with their reasons."""
    return {
        condition["type"]: str(condition.get("reason", ""))
        for condition in _status(thing).get("conditions") or ()
        if condition.get("status") == "True"
    }


def _is_lost(pod: Document) -> bool:
    """Whether the cluster took a pod away: its node was drained, it was evicted or preempted."""
    return _status(pod).get("reason") == "Evicted" or "DisruptionTarget" in _conditions(pod)


def _words_of_lost_pods(pods: Document) -> Iterator[str]:
    for pod in _items(pods):
        if _is_lost(pod):
            status = _status(pod)
            yield str(status.get("message") or status.get("reason") or _conditions(pod).get("DisruptionTarget"))


def _container_end(pods: Document) -> Document | None:
    """Find how CASA's container ended; None if its pod is gone or was taken away before it could."""
    for pod in _items(pods):
        for state in _states(pod):
            if "terminated" in state and not _is_lost(pod):
                return dict(state["terminated"])
    return None

"""A pod of the stand-in for a Kubernetes cluster: its container is a process of this machine."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Collection
from http import HTTPStatus
from pathlib import Path
from threading import Thread
from typing import Any

_LOOK = 0.002
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Pod:
    """The pod of a job, which begins at once if its image can be pulled.

    Parameters
    ----------
    job
        The job's manifest.
    folder
        Where its log goes.
    pulls
        Images that can be pulled; None if there is no node.
    """

    def __init__(self, job: dict[str, Any], folder: Path, *, pulls: Collection[str] | None) -> None:
        self.name = f"{job['metadata']['name']}-x7k2p"
        template = job["spec"]["template"]
        self.labels: dict[str, str] = template["metadata"]["labels"]
        self._spec = template["spec"]
        [self._container] = template["spec"]["containers"]
        self._log = folder / f"{self.name}.log"
        self._status: dict[str, Any] = {"phase": "Pending"}
        self._state: dict[str, Any] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher: Thread | None = None
        if pulls is not None:
            self._begin(pulls)

    def document(self) -> dict[str, Any]:
        """Describe it as the cluster does."""
        told = [] if self._state is None else [{"name": self._container["name"], "state": self._state}]
        return {
            "metadata": {"name": self.name, "labels": self.labels},
            "status": self._status | {"containerStatuses": told},
        }

    def conditions(self) -> list[dict[str, str]]:
        """Tell what the job's conditions are with such a pod."""
        if self._status["phase"] == "Succeeded":
            return [{"type": "Complete", "status": "True"}]
        if self._status["phase"] == "Failed":
            return [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]
        return []

    def log(self, container: str) -> tuple[HTTPStatus, "dict[str, Any] | bytes"]:
        """Tell what the container printed."""
        if container != self._container["name"] or not self._log.exists():
            return HTTPStatus.BAD_REQUEST, {"kind": "Status", "message": f"container {container} is waiting to start"}
        return HTTPStatus.OK, self._log.read_bytes()

    def take_away(self, **status: object) -> None:
        """End it as an eviction, a drained node or its deadline does, and say why."""
        self._status |= status
        self.end()

    def end(self) -> None:
        """End all its processes and wait until they are gone."""
        if self._process is not None and self._watcher is not None:
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)
            self._watcher.join(10)

    def _begin(self, pulls: Collection[str]) -> None:
        image = self._container["image"]
        if image not in pulls:
            message = f'Back-off pulling image "{image}"'
            self._state = {"waiting": {"reason": "ImagePullBackOff", "message": message}}
            return
        command = [_expanded(word) for word in (*self._container["command"], *self._container["args"])]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, cwd=self._container["workingDir"], stdout=log, stderr=log, start_new_session=True
            )
        self._state = {"running": {}}
        self._status["phase"] = "Running"
        self._watcher = Thread(target=self._watch, args=(self._process,), daemon=True)
        self._watcher.start()

    def _watch(self, process: "subprocess.Popen[bytes]") -> None:
        limit = int(self._container["resources"]["limits"]["memory"])
        deadline = time.monotonic() + self._spec["activeDeadlineSeconds"]
        reason = None
        while process.poll() is None:
            if _resident(process.pid) > limit:
                reason = "OOMKilled"
                os.killpg(process.pid, signal.SIGKILL)
            elif time.monotonic() > deadline:
                self._status["reason"] = "DeadlineExceeded"
                os.killpg(process.pid, signal.SIGKILL)
            time.sleep(_LOOK)
        code = process.returncode if process.returncode >= 0 else 128 - process.returncode
        self._state = {"terminated": {"exitCode": code, "reason": reason or ("Error" if code else "Completed")}}
        self._status["phase"] = "Failed" if code else "Succeeded"


def _expanded(word: str) -> str:
    """Read a word of a command as Kubernetes does where no variable is set."""
    return re.sub(r"\$\$", "$", word)


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    except (FileNotFoundError, ProcessLookupError, IndexError):
        return 0

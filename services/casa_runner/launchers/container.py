"""Starts CASA in a container that sees its attempt's directory and nothing else it could write to."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import docker
import structlog
from docker.errors import DockerException, NotFound
from docker.models.containers import Container
from docker.types import Mount
from requests.exceptions import RequestException

from services.casa_runner.errors import CasaAwayError
from services.casa_runner.job import CasaFiles
from services.casa_runner.launcher import NO_NEEDS, CasaLostError, MemoryLimitError, Needs, nobody
from services.casa_runner.launchers.handing_over import hand_over, is_held, status_of
from services.casa_runner.launchers.places import Places
from services.casa_runner.launchers.settings import CasaPlace, ContainerSettings
from shared.errors import MisconfiguredError

log = structlog.get_logger()

LABEL = "org.alma-restore"
_POLL_SECONDS = 0.05
_KILLED = -9
_LOG_SIZE = "50m"


class CasaContainer:
    """CASA in a container, which is removed when it has ended.

    Parameters
    ----------
    container
        The started container.
    printed
        File for its output, written when it ends.
    memory
        Its limit, bytes.
    """

    def __init__(self, container: Container, *, printed: Path, memory: int) -> None:
        self._container = container
        self._printed = printed
        self._memory = memory
        self._status: int | None = None

    def wait(self, timeout: float) -> int | None:
        """Wait for the end; see `RunningCasa.wait`. An engine that is away has nothing to tell."""
        until = time.monotonic() + timeout
        while self._status is None:
            state = self._state()
            if state is not None and not state["Running"]:
                self._conclude(state)
            elif time.monotonic() >= until:
                return None
            else:
                time.sleep(min(_POLL_SECONDS, max(0.0, until - time.monotonic())))
        return self._status

    def is_queued(self) -> bool:
        """It works at once."""
        return False

    def leave(self) -> bool:
        """The next start of a runner removes it."""
        return False

    def stop(self) -> None:
        """Kill the container and remove it."""
        if self._status is not None:
            return
        self._status = _KILLED
        try:
            self._remove()
        except CasaAwayError as error:
            log.warning("container_not_ended", container=self._container.name, cause=str(error), consequence=_LATER)

    def _state(self) -> dict[str, Any] | None:
        try:
            self._container.reload()
        except NotFound as error:
            self._status = _KILLED
            raise CasaLostError(f"the container {self._container.name} was removed by somebody") from error
        except (DockerException, RequestException) as error:
            log.warning("engine_away", cause=str(error), consequence="CASA is looked after when it is back")
            return None
        return dict(self._container.attrs["State"])

    def _conclude(self, state: dict[str, Any]) -> None:
        self._status = status_of(int(state["ExitCode"]))
        try:
            self._remove()
        except CasaAwayError as error:
            log.warning("container_not_removed", container=self._container.name, cause=str(error), consequence=_LATER)
        if state["OOMKilled"] and self._status != 0:
            raise MemoryLimitError(self._memory)

    def _remove(self) -> None:
        with _engine_asked(f"remove the container {self._container.name}"):
            try:
                if self._container.status == "running":
                    self._container.kill()
                with self._printed.open("ab") as printed:
                    printed.writelines(self._container.logs(stream=True, follow=False))
            except NotFound:
                return
            except DockerException as error:  # it ended by itself meanwhile, or has no log
                log.info("container_log_incomplete", container=self._container.name, cause=str(error))
            self._container.remove(force=True)


_LATER = "it is removed when a runner of this host starts"


class ContainerLauncher:
    """Starts CASA in containers of this machine's engine.

    A container has no network, a read-only root, no capabilities, a user that is not root, limits
    of memory without swap, cores and processes; the attempt's directory is all that it can write to.

    Parameters
    ----------
    settings
        The engine and the limits.
    places
        The CASAs and their images.

    Raises
    ------
    MisconfiguredError
        If CASA would run as root, or as a user to whom the runner cannot give files.
    """

    def __init__(self, *, settings: ContainerSettings, places: Places) -> None:
        self._settings = settings
        self._places = places
        self._user = settings.user or f"{os.getuid()}:{os.getgid()}"
        self._uid, self._gid = (int(number) for number in self._user.split(":"))
        if self._uid == 0:
            raise MisconfiguredError("the runner is root, and CASA shall not be: set LAUNCHER__USER to uid:gid")
        if os.getuid() not in (0, self._uid):
            raise MisconfiguredError(f"only root can give files to user {self._uid}: leave LAUNCHER__USER out")

    @cached_property
    def _engine(self) -> docker.DockerClient:
        return docker.DockerClient(base_url=self._settings.engine, timeout=self._settings.engine_timeout)  # type: ignore[arg-type]  # fractions of a second are fine for requests

    def start(self, script: Path, files: CasaFiles, needs: Needs = NO_NEEDS) -> CasaContainer:
        """Start a script; see `Launcher.start`."""
        place = self._places.find(needs)
        if place.image is None:
            raise MisconfiguredError("no image is set for this CASA: set LAUNCHER__CASA__IMAGE")
        memory = needs.memory if needs.memory is not None else int(self._settings.memory)
        inside = hand_over(script, files)
        self._give_away(files.attempt.root)
        with _engine_asked(f"start the image {place.image}"):
            container = self._engine.containers.create(**self._creation(place, inside, files, memory))
            try:
                container.start()
            except DockerException:
                container.remove(force=True)
                raise
        return CasaContainer(container, printed=files.printed, memory=memory)

    def take_up(self, files: CasaFiles) -> None:
        """Remove the container of a dead runner, which is not taken up; see `Launcher.take_up`."""
        with _engine_asked("remove an orphaned container"):
            for container in self._orphans(files.attempt.root.parent, f"{LABEL}.attempt={files.attempt.name}"):
                container.remove(force=True)

    def end_orphans(self, attempts: Path, *, spare: Callable[[Path], bool] = nobody) -> frozenset[Path]:  # noqa: ARG002 (the Protocol's)
        """Remove the containers of dead runners, none of which can be taken up; see `Launcher.end_orphans`."""
        with _engine_asked("look for orphaned containers"):
            for container in self._orphans(attempts):
                name = container.labels[f"{LABEL}.attempt"]
                if not is_held(attempts / name):
                    container.remove(force=True)
                    log.warning("orphaned_container_removed", attempt=name)
        return frozenset()

    def cores(self) -> int:
        """As they are limited."""
        return max(1, int(self._settings.cores))

    def is_ready(self) -> bool:
        """Whether the engine answers."""
        try:
            return bool(self._engine.ping())
        except (DockerException, RequestException):
            return False

    def _orphans(self, attempts: Path, *labels: str) -> list[Container]:
        filters: dict[str, str | list[str] | bool] = {"label": [f"{LABEL}.attempts={attempts}", *labels]}
        return self._engine.containers.list(all=True, filters=filters, ignore_removed=True)

    def _give_away(self, folder: Path) -> None:
        """Let CASA's user write to the attempt's directory, if that is somebody else."""
        if os.getuid() == self._uid:
            return
        for path in (folder, *folder.rglob("*")):
            os.chown(path, self._uid, self._gid, follow_symlinks=False)

    def _creation(self, place: CasaPlace, script: Path, files: CasaFiles, memory: int) -> dict[str, Any]:
        root, settings = files.attempt.root, self._settings
        return {
            "image": place.image,
            "command": [*place.command, str(script), str(files.job)],
            "entrypoint": [],
            "name": f"alma-restore-{files.attempt.name}",
            "user": self._user,
            "environment": files.environment,
            "working_dir": str(files.attempt.working),
            "labels": {f"{LABEL}.attempt": root.name, f"{LABEL}.attempts": str(root.parent)},
            "mounts": [
                Mount(str(root), str(root), type="bind"),
                *(Mount(str(path), str(path), type="bind", read_only=True) for path in settings.mounts),
            ],
            "network_mode": "none",
            "read_only": True,
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges"],
            "mem_limit": memory,
            "memswap_limit": memory,
            "nano_cpus": int(settings.cores * 10**9),
            "pids_limit": settings.processes,
            # As the first process of its namespace CASA would not die of its own signals.
            "init": True,
            "log_config": {"type": "json-file", "config": {"max-size": _LOG_SIZE, "max-file": "1"}},
        }


@contextmanager
def _engine_asked(to: str) -> Iterator[None]:
    """Say what the engine was asked, if it does not do it."""
    try:
        yield
    except (DockerException, RequestException) as error:
        raise CasaAwayError(f"the container engine does not {to}: {error}") from error

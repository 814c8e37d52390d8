"""A private container engine for tests, and an image that holds this machine's Python by mounts."""

import io
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import docker
from docker.errors import DockerException

from tests.support.private_server import PrivateServer, wait_until

IMAGE = "alma-restore-test/casa:6.7"
OTHER_IMAGE = "alma-restore-test/casa-4.7.2-el7:latest"
_LINKS = ("bin", "lib", "lib64", "lib32", "sbin")
_FOLDERS = ("dev", "etc", "proc", "sys", "tmp", "usr", "usr/bin", "usr/sbin")


class DockerEngine(PrivateServer):
    """Runs ``dockerd`` with folders and a socket of its own; its containers end with the context.

    Containers outlive `stop`. It needs root: other users start it by sudo.

    Parameters
    ----------
    networks
        Whether containers may have networks, for which the engine adds rules to this machine's packet filter.
    images
        Images to begin with, which hold folders only.
    """

    def __init__(self, *, networks: bool = False, images: Sequence[str] = (IMAGE, OTHER_IMAGE)) -> None:
        self._networks = networks
        self._images = images
        self._program = shutil.which("dockerd", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
        if self._program is None:
            raise FileNotFoundError("dockerd is missing: install it by `apt-get install docker.io`")
        self._folder = Path(tempfile.mkdtemp(prefix="docker-"))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"unix://{self._folder}/docker.sock"

    def begin(self) -> None:
        """Start the engine, and give it its images."""
        self.start()
        with self.client() as client:
            for name in self._images:
                repository, _, tag = name.partition(":")
                client.api.import_image_from_data(_bare_image(tag), repository=repository, tag=tag)

    def client(self) -> "_Client":
        """Connect to it; a context manager."""
        return _Client(base_url=self.address)

    def start(self, *, timeout: float = 30.0) -> None:
        """Start the engine on its folder and wait until it answers."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(self._command(), stdout=log, stderr=log, start_new_session=True)
        log_file = self._folder / "log"
        wait_until(self._answers, name="dockerd", process=self._process, log=log_file, timeout=timeout)

    def stop(self) -> None:
        """End the engine, as its upgrade does; containers work on."""
        self._end(signal.SIGTERM)

    def close(self) -> None:
        """Remove the containers, end the engine and remove its folder."""
        if self._process is not None:
            with self.client() as client:
                for container in client.containers.list(all=True):
                    container.remove(force=True)
            self.stop()
        # An engine whose containers may outlive it leaves its folder mounted on itself.
        subprocess.run([*as_root(), "umount", "--lazy", self._folder / "data"], stderr=subprocess.DEVNULL, check=False)
        subprocess.run([*as_root(), "rm", "-rf", self._folder], check=True)

    def _command(self) -> list[str | Path]:
        folder = self._folder
        flags = {
            "data-root": folder / "data",
            "exec-root": folder / "exec",
            "pidfile": folder / "pid",
            "host": self.address,
            "group": str(os.getgid()),
            "bridge": "none",
            "iptables": str(self._networks).lower(),
            "ip6tables": "false",
            "ip-forward": "false",
            "live-restore": "true",
        }
        assert self._program is not None
        return [*as_root(), self._program, *(f"--{name}={value}" for name, value in flags.items())]

    def _answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except DockerException:
            return False

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        pid = (self._folder / "pid").read_text().strip()
        subprocess.run([*as_root(), "kill", f"-{how.value}", pid], check=True)
        self._process.wait(30)
        self._process = None


class _Client(docker.DockerClient):
    """A client that is closed with its context."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def as_root() -> Sequence[str]:
    """Return what runs a command as root."""
    return () if os.geteuid() == 0 else ("sudo", "--non-interactive")


def python_mounts() -> tuple[Path, ...]:
    """Return the folders of this Python and of the system's commands (CASA copies tables by ``cp``), for a bare image.

    Not all of ``/usr``: the engine puts its init program into ``/usr/sbin``.
    """
    system = [path for path in (Path("/usr/bin"), Path("/usr/lib"), Path("/usr/lib64")) if path.is_dir()]
    own = {Path(sys.prefix), Path(sys.base_prefix)} - {Path("/usr")}
    return (*system, *sorted(own))


def _bare_image(tag: str) -> bytes:
    """Make an image of empty folders, the system's links between them, and a file that says its tag."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name in _LINKS:
            if Path("/", name).is_symlink():
                link = tarfile.TarInfo(name)
                link.type, link.linkname = tarfile.SYMTYPE, str(Path("/", name).readlink())
                tar.addfile(link)
        for name in _FOLDERS:
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, 0o755 if name != "tmp" else 0o1777
            tar.addfile(folder)
        text = tarfile.TarInfo("etc/casa")
        text.size = len(tag)
        tar.addfile(text, io.BytesIO(tag.encode()))
    return stream.getvalue()

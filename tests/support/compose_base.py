"""The images that the compose project stands on where no image registry can be reached, and what that changes.

One holds a shell and Python, as the published one does: on it the Dockerfile installs from the package index that this
machine uses. The other holds, besides, the names of all packages that our services need: by them the Dockerfile finds
installed what it is told to install. Packages and servers themselves are this machine's own and bound in, so that an
image is made in a second, and CASA is not fetched for every run.
"""

import io
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from docker import DockerClient
from packaging.requirements import Requirement

from alma_restore.registry import BUILDERS
from tests.support.debian_image import write_root

PLAIN = "alma-restore-test/python"
IMAGE = "alma-restore-test/base"
INSTALLED = ("notifier", "metadata-resolver")
"""Services whose images install what they need by themselves."""
_DEBIAN = (
    *("base-files", "bash", "ca-certificates", "coreutils", "dash", "findutils", "grep", "passwd"),
    *("python3", "python3-venv", "sed"),
)
_OURS = (*BUILDERS, "observatory")
_SERVERS = {
    "rabbitmq": "/scripts/rabbitmq-entrypoint",
    "objects": "/programs/weed",
    "database": "/scripts/database-entrypoint",
    "mail": "/scripts/catch-mails",
    "prometheus": "prometheus",
    "alertmanager": "prometheus-alertmanager",
}
_SCRIPTS = Path(__file__).parent / "images"
_PACKAGES = Path(sysconfig.get_path("purelib"))
_IN_IMAGE = "/opt/alma-restore/lib/python3.11/site-packages"
_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


def make_bases(client: DockerClient) -> None:
    """Make both images out of what is installed on this machine."""
    (postgres,) = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1:]
    settings = {
        "PATH": f"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:{postgres}",
        "LANG": "C.UTF-8",
        "SSL_CERT_FILE": _CERTIFICATES,
        "PIP_CERT": _CERTIFICATES,
    }
    if index := _index():
        settings |= {"PIP_INDEX_URL": index, "UV_DEFAULT_INDEX": index}
    with tempfile.NamedTemporaryFile() as tar:
        write_root(tar, _DEBIAN, [(_SCRIPTS / "pip", "/usr/local/bin/pip")])
        tar.flush()
        changes = [f"ENV {name}={value}" for name, value in settings.items()]
        client.api.import_image_from_file(tar.name, repository=PLAIN, tag="latest", changes=changes)
    container = client.containers.create(PLAIN, "true")
    container.put_archive("/", _names())
    container.commit(IMAGE, "latest")
    container.remove()


def _index() -> str:
    """Return the package index that pip is told to use, if it is; uv reads no pip.conf."""
    said = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True)
    found = re.findall(r"^\S+\.index-url='(.*)'$", said.stdout, re.MULTILINE)
    return os.environ.get("UV_DEFAULT_INDEX", found[-1] if found else "")


def _names() -> bytes:
    """Write as a tar the descriptions of all packages that our services need, and where Python is to look for them."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for folder in _descriptions("alma-restore"):
            tar.add(folder, f"{_IN_IMAGE}/{folder.name}")
        path = tarfile.TarInfo(f"{_IN_IMAGE}/bound.pth")
        path.size = len(b"/packages\n")
        tar.addfile(path, io.BytesIO(b"/packages\n"))
    return stream.getvalue()


def on_base(cache: Path) -> dict[str, Any]:
    """Say what differs from docker-compose.yml: programs, packages and the observatory's blocks are bound in."""
    programs = [
        f"{Path(sys.executable).with_name('weed')}:/programs/weed:ro",
        f"{_SCRIPTS}:/scripts:ro",
        "/usr:/usr:ro",
    ]
    packages = f"{_PACKAGES}:/packages:ro"
    server = {"image": IMAGE, "environment": {"PYTHONPATH": "/packages"}, "volumes": [*programs, packages]}
    services: dict[str, Any] = {name: {**server, "entrypoint": [program]} for name, program in _SERVERS.items()}
    services |= {name: {"volumes": [packages]} for name in _OURS}
    services |= {name: {"build": {"args": {"PYTHON_IMAGE": PLAIN}}} for name in INSTALLED}
    services["observatory"]["volumes"].append(f"{cache}:/var/lib/alma-restore/observatory/cache")
    return {"services": services}


def _descriptions(name: str) -> Iterator[Path]:
    """Find the folders that describe what a package needs, with all its extras but those for developing."""
    seen, todo = set[tuple[str, str]](), [(name, extra) for extra in ("", "services", "tracing", "demo")]
    while todo:
        name, extra = todo.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        for needed in map(Requirement, metadata.requires(name) or []):
            if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                canonical = re.sub(r"[-_.]+", "-", needed.name).lower()
                todo.extend((canonical, wanted) for wanted in ("", *needed.extras))
    for found in sorted({name for name, _ in seen} - {"alma-restore"}):
        files = metadata.files(found) or []
        yield next(_PACKAGES / file.parts[0] for file in files if file.parts[0].endswith(".dist-info"))

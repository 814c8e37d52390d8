"""A fetch onto a disk that is full until the request waits.

``python -m tests.support.full_disk EVENT STORE LOCATIONS ASDM HOST``

The disk is a small file system in memory that only this process sees; where the kernel does
not let it have one, files may not grow beyond a limit, which fails at the same place.
"""

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from queue import Queue

import structlog
from prometheus_client import CollectorRegistry

from contracts.envelope import Event
from contracts.flow import QUEUES
from contracts.manifests import AsdmManifest
from contracts.messages import ArtefactsStaged
from services.ngas_fetcher.service import build
from services.ngas_fetcher.settings import NgasFetcherSettings
from shared.bus import RetryPolicy
from shared.bus.memory import MemoryBus
from shared.metrics import ServiceMetrics
from shared.objects.directory import DirectoryStore
from shared.runtime import Runtime
from tests.support.trees import files_below

MOUNTED = "mounted"
ROOM = 600_000
"""Bytes that are free at first: enough for a file, not for all."""


def main(arguments: list[str]) -> None:
    """Have a file system of our own if we may, then fetch."""
    if arguments[-1] != MOUNTED:
        mount = 'mount -t tmpfs -o size=8m tmpfs "$0" && exec "$@"'
        own = [sys.executable, "-m", "tests.support.full_disk", *arguments, MOUNTED]
        command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, arguments[1], *own]
        if subprocess.run([*command[:4], "true"], stderr=subprocess.DEVNULL).returncode == 0:
            os.execvp(command[0], command)  # a program of the system, by its name
        fetch([*arguments, "limited"], _limited_files())
    else:
        fetch(arguments, _full_disk(Path(arguments[1])))


def _full_disk(root: Path) -> Callable[[], None]:
    filler = root / "filler"
    free = os.statvfs(root).f_bavail * os.statvfs(root).f_frsize
    filler.write_bytes(bytes(free - ROOM))
    return filler.unlink


def _limited_files() -> Callable[[], None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, before)


def fetch(arguments: list[str], give_room: Callable[[], None]) -> None:
    """Fetch; as soon as the request waits give room; print what happened."""
    event, store, locations, asdm, host, _ = arguments
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("critical"))
    objects = DirectoryStore(Path(store) / "objects")
    settings = NgasFetcherSettings(hosts=(host,), location_directory=Path(locations))
    bus, said = MemoryBus(retry=RetryPolicy(delays=(0.1,))), Queue[Event]()
    bus.declare(QUEUES)
    bus.listen(said.put)
    service = build(objects=objects, settings=settings)
    Runtime(bus=bus, metrics=ServiceMetrics(CollectorRegistry())).add(service)
    bus.publish([Event.decode(Path(event).read_bytes())])
    whole = files_below(Path(asdm))
    waited = False
    while (message := said.get(timeout=30)).topic != "artefacts.staged":
        assert message.topic not in ("request.failed", "restore.failed"), message
        if message.topic == "request.waiting" and not waited:
            waited = True
            print("waited")
            assert all(objects.get(info.key) in whole.values() for info in objects.list("asdm/"))
            give_room()
    assert isinstance(message.data, ArtefactsStaged)
    manifest = AsdmManifest.model_validate_json(objects.read(message.data.asdm))
    assert {file.path: objects.read(file.ref) for file in manifest.files} == whole
    print("staged")
    bus.drain(10)
    bus.close()
    service.close()


if __name__ == "__main__":
    main(sys.argv[1:])

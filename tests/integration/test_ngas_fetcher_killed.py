"""A fetcher that is killed goes on where it was: in a process of its own, against a server of its own."""

import json
import random
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.envelope import Event
from contracts.manifests import AsdmManifest
from contracts.messages import StructureResolved
from observatory.ngas import Fault, NgasServer, tar_report
from shared.objects import DirectorySettings
from shared.objects.directory import DirectoryStore
from tests.support.fetch_process import FetchProcesses
from tests.support.trees import files_below
from tests.unit.services.ngas_fetcher.samples import EBS, REQUEST, STRUCTURE, bdf_names, write_asdm

KILLS = 20
"""Half of them of a fetch of files, half of one tar."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NgasServer]:
    with NgasServer(tmp_path / "ngas") as server:
        yield server


@pytest.fixture
def asdm(server: NgasServer, tmp_path: Path) -> Path:
    return write_asdm(tmp_path / "asdm", EBS[0], server, tmp_path / "locations")


@pytest.fixture
def processes(server: NgasServer, asdm: Path, tmp_path: Path) -> FetchProcesses:
    sessions = (STRUCTURE.sessions[0],)
    structure = STRUCTURE.model_copy(update={"products": (), "sessions": sessions})
    event = Event.first(StructureResolved(request=REQUEST, structure=structure), source="/test")
    store = DirectorySettings(root=tmp_path / "store")
    return FetchProcesses(event=event, store=store, locations=tmp_path / "locations", host=server.address)


def manifest_in(store: DirectoryStore) -> AsdmManifest:
    (info,) = [info for info in store.list("asdm/") if info.key.endswith("manifest.json")]
    return AsdmManifest.model_validate(json.loads(store.get(info.key)))


def run_to_the_end(processes: FetchProcesses) -> None:
    process = processes.start()
    process.join(60)
    assert process.exitcode == 0


def assert_right(store: DirectoryStore, asdm: Path) -> None:
    manifest = manifest_in(store)
    expected = files_below(asdm)
    assert {file.path: store.read(file.ref) for file in manifest.files} == expected


def test_a_fetcher_killed_in_the_middle_of_a_file_fetches_no_finished_file_again(
    server: NgasServer, asdm: Path, processes: FetchProcesses, tmp_path: Path
) -> None:
    last = bdf_names(0)[2].removeprefix("uid___").replace("_", "/")
    server.faults.set(Fault(stall=60, stall_after=1000), file_id=last)

    killed = processes.start()
    came_to_the_last = server.wait_for_request(last, 20)
    killed.kill()
    killed.join()
    assert came_to_the_last
    finished = {request.file_id for request in server.retrieved()} - {last}
    store = DirectoryStore(tmp_path / "store")
    assert not [info for info in store.list("asdm/") if info.key.endswith((bdf_names(0)[2], "manifest.json"))]

    server.faults.clear()
    server.requests.clear()
    run_to_the_end(processes)
    assert finished
    assert last in {request.file_id for request in server.retrieved()}
    assert not finished & {request.file_id for request in server.retrieved()}
    assert_right(store, asdm)


@pytest.mark.parametrize("packed", [False, True], ids=["files", "tar"])
def test_a_fetcher_killed_at_random_moments_leaves_only_what_is_right(
    server: NgasServer, asdm: Path, processes: FetchProcesses, tmp_path: Path, packed: bool
) -> None:
    """Given a fetch of about a second, when it is killed during it again and again, then nothing wrong is there."""
    if packed:
        tar_report(asdm, EBS[0], server, work=tmp_path, write_to=tmp_path / "locations")
    server.faults.set(Fault(stall=0.6 if packed else 0.15, stall_after=150_000))
    moments, killed = random.Random(5), 0
    whole = {path.read_bytes() for path in asdm.rglob("*") if path.is_file()}
    while killed < KILLS // 2:
        process = processes.start()
        process.join(moments.uniform(0.0, 0.7))
        process.kill()
        process.join()
        killed += process.exitcode == -signal.SIGKILL
        store = DirectoryStore(tmp_path / "store")
        for info in store.list("asdm/"):
            if not info.key.endswith("manifest.json"):
                assert store.get(info.key) in whole
        if process.exitcode == 0:
            shutil.rmtree(tmp_path / "store")  # it came to its end before it was killed: another begins anew
    server.faults.clear()
    run_to_the_end(processes)
    assert_right(DirectoryStore(tmp_path / "store"), asdm)
    left = [info.key for info in DirectoryStore(tmp_path / "store").list("asdm/") if "/unpacked/" in info.key]
    assert len(left) == (len(whole) if packed else 0)

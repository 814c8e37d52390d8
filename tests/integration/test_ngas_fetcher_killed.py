"""A fetcher that is killed goes on where it was, in a process of its own, against a server of its own."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.envelope import Event
from contracts.manifests import AsdmManifest
from contracts.messages import StructureResolved
from observatory.ngas import Fault, NgasServer
from shared.objects.directory import DirectoryStore
from tests.unit.services.ngas_fetcher.samples import EBS, REQUEST, STRUCTURE, bdf_names, write_asdm

ROOT = Path(__file__).parents[2]
RUN = """
import sys
from pathlib import Path
from contracts.envelope import Event
from services.ngas_fetcher.service import build
from services.ngas_fetcher.settings import NgasFetcherSettings
from shared.objects.directory import DirectoryStore
from tests.support.delivery import RecordingDelivery

event, store, locations, host = sys.argv[1:]
settings = NgasFetcherSettings(hosts=(host,), location_directory=Path(locations), transfers=1, stall_timeout=30)
delivery = RecordingDelivery()
build(objects=DirectoryStore(Path(store)), settings=settings).handle(Event.decode(Path(event).read_bytes()), delivery)
print(*(event.topic for event in delivery.published))
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NgasServer]:
    with NgasServer(tmp_path / "ngas") as server:
        yield server


def test_a_fetcher_killed_in_the_middle_of_a_file_fetches_no_finished_file_again(
    server: NgasServer, tmp_path: Path
) -> None:
    folder = write_asdm(tmp_path / "asdm", EBS[0], server, tmp_path / "locations")
    sessions = (STRUCTURE.sessions[0],)
    structure = STRUCTURE.model_copy(update={"products": (), "sessions": sessions})
    event = Event.first(StructureResolved(request=REQUEST, structure=structure), source="/test")
    (tmp_path / "event.json").write_bytes(event.encode())
    command = [sys.executable, "-c", RUN, *map(str, (tmp_path / "event.json", tmp_path / "store"))]
    command += [str(tmp_path / "locations"), server.address]
    last = bdf_names(0)[2].removeprefix("uid___").replace("_", "/")
    server.faults.set(Fault(stall=60, stall_after=1000), file_id=last)

    killed = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    came_to_the_last = server.wait_for_request(last, 20)
    killed.kill()
    killed.communicate()
    assert came_to_the_last
    finished = {request.file_id for request in server.retrieved()} - {last}
    store = DirectoryStore(tmp_path / "store")
    assert not [info for info in store.list("asdm/") if info.key.endswith((bdf_names(0)[2], "manifest.json"))]

    server.faults.clear()
    server.requests.clear()
    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20, check=True)
    assert again.stdout.splitlines()[-1].split()[-1] == "artefacts.staged"
    assert finished
    assert last in {request.file_id for request in server.retrieved()}
    assert not finished & {request.file_id for request in server.retrieved()}
    (info,) = [info for info in store.list("asdm/") if info.key.endswith("manifest.json")]
    manifest = AsdmManifest.model_validate(json.loads(store.get(info.key)))
    for file in manifest.files:
        assert store.read(file.ref) == (folder / file.path).read_bytes()

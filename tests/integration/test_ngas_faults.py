"""Each fault of an archive, a network or a disk, through the whole service: what is in the store is right or absent."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, Queue

import pytest
from prometheus_client import CollectorRegistry

from contracts.envelope import Event
from contracts.flow import QUEUES
from contracts.manifests import AsdmManifest
from contracts.messages import ArtefactsStaged, RequestFailed, StructureResolved
from contracts.messages.parts import ObjectRef
from contracts.reasons import ReasonCode
from observatory.ngas import Fault, NgasServer, location_report
from services.ngas_fetcher.service import build
from services.ngas_fetcher.settings import NgasFetcherSettings
from shared.bus import RetryPolicy
from shared.bus.memory import MemoryBus
from shared.metrics import ServiceMetrics
from shared.objects import ObjectStore
from shared.objects.directory import DirectoryStore
from shared.objects.s3 import S3Store
from shared.runtime import Runtime
from tests.support.s3 import S3Server
from tests.unit.services.ngas_fetcher.samples import BDF_SIZE, EBS, REQUEST, STRUCTURE, bdf_names, write_asdm

SECONDS = 30
ROOT = Path(__file__).parents[2]
BDF = bdf_names(0)[0].removeprefix("uid___").replace("_", "/")
EVENT = Event.first(
    StructureResolved(
        request=REQUEST, structure=STRUCTURE.model_copy(update={"products": (), "sessions": STRUCTURE.sessions[:1]})
    ),
    source="/test",
)


@dataclass
class House:
    """The service on a bus in memory; ``ask`` begins a request, ``next`` awaits what is said."""

    bus: MemoryBus
    objects: ObjectStore
    asdm: Path
    said: Queue[Event] = field(default_factory=Queue)

    def ask(self) -> None:
        self.bus.listen(self.said.put)
        self.bus.publish([EVENT])

    def until(self, *topics: str) -> Event:
        latest = time.monotonic() + SECONDS
        while time.monotonic() < latest:
            event = self.said.get(timeout=SECONDS)
            if event.topic in topics:
                return event
        raise AssertionError(f"within {SECONDS} s nobody said {topics}")

    def dead_letter(self) -> str:
        latest = time.monotonic() + SECONDS
        while not (dead := self.bus.dead_letters("ngas-fetcher")):
            assert time.monotonic() < latest
            try:
                self.said.get(timeout=0.05)
            except Empty:
                continue
        return dead[0].reason

    def assert_right(self, staged: Event) -> AsdmManifest:
        assert isinstance(staged.data, ArtefactsStaged), staged
        manifest = AsdmManifest.model_validate_json(self.objects.read(staged.data.asdm))
        expected = {str(path.relative_to(self.asdm)): path for path in self.asdm.rglob("*") if path.is_file()}
        got = {file.path: self.objects.read(file.ref) for file in manifest.files}
        assert got == {path: file.read_bytes() for path, file in expected.items()}
        return manifest

    def assert_nothing_wrong(self) -> None:
        """Whatever is there is a file of the ASDM, whole."""
        whole = {path.read_bytes() for path in self.asdm.rglob("*") if path.is_file()}
        for info in self.objects.list("asdm/"):
            assert self.objects.read(ObjectRef(key=info.key, size=info.size, sha256=info.sha256)) in whole


Open = Callable[..., House]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NgasServer]:
    with NgasServer(tmp_path / "ngas") as server:
        yield server


@pytest.fixture
def house(server: NgasServer, tmp_path: Path) -> Iterator[Open]:
    closing: list[Callable[[], object]] = []

    def begin(*, objects: ObjectStore | None = None, name: str = "store", **changes: object) -> House:
        asdm = tmp_path / "asdm"
        if not asdm.exists():
            write_asdm(asdm, EBS[0], server, tmp_path / "locations")
        objects = objects or DirectoryStore(tmp_path / name)
        values: dict[str, object] = {
            "hosts": (server.address,),
            "location_directory": tmp_path / "locations",
            "stall_timeout": 30.0,
            "attempts": 3,
            "backoff": 0.01,
        }
        service = build(objects=objects, settings=NgasFetcherSettings.model_validate(values | changes))
        bus = MemoryBus(retry=RetryPolicy(delays=(0.05,)))
        bus.declare(QUEUES)
        Runtime(bus=bus, metrics=ServiceMetrics(CollectorRegistry())).add(service)
        closing.extend((service.close, bus.close, lambda: bus.drain(SECONDS)))
        return House(bus=bus, objects=objects, asdm=asdm)

    yield begin
    for close in reversed(closing):
        close()


def test_a_cut_at_every_tenth_of_a_file_is_mended(house: Open, server: NgasServer) -> None:
    for tenth in range(10):
        server.faults.set(Fault(cut_after=tenth * BDF_SIZE // 10, times=1), file_id=BDF)
        begun = house(name=f"store{tenth}")
        begun.ask()
        begun.assert_right(begun.until("artefacts.staged"))
        assert len(server.retrieved(BDF)) == 2 * (tenth + 1)


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (Fault(busy=True, times=40), 503),
        (Fault(busy=True, reset=True, times=10), 503),
        (Fault(offline=True, times=12), 400),
    ],
    ids=["storm of 503", "resets", "offline, then online"],
)
def test_a_server_that_has_no_answer_for_a_while_is_waited_for(
    house: Open, server: NgasServer, fault: Fault, status: int
) -> None:
    begun = house()
    server.faults.set(fault)
    begun.ask()
    begun.assert_right(begun.until("artefacts.staged", "request.failed"))
    assert begun.bus.dead_letters("ngas-fetcher") == ()
    statuses = [request.status for request in server.requests]
    # Of a server that is OFFLINE its state is asked, too, and answered.
    assert statuses.count(status) == fault.times or (fault.offline and status in statuses)
    assert statuses.count(200) >= len(server.store.files())


def test_a_file_that_stops_coming_goes_on_at_its_byte(house: Open, server: NgasServer) -> None:
    begun = house(stall_timeout=2)
    server.faults.set(Fault(stall=SECONDS, stall_after=1000, times=1), file_id=BDF)
    begun.ask()
    begun.assert_right(begun.until("artefacts.staged", "request.failed"))
    assert "bytes=1000-" in [request.range for request in server.retrieved(BDF)]


def test_a_file_that_is_cut_off_by_resets_comes_in_the_end(house: Open, server: NgasServer) -> None:
    """A reset may take bytes with it that were sent, so that nobody knows where the next request goes on."""
    begun = house()
    server.faults.set(Fault(cut_after=BDF_SIZE // 3, reset=True, times=2), file_id=BDF)
    begun.ask()
    begun.assert_right(begun.until("artefacts.staged", "request.failed"))
    assert [request.sent < BDF_SIZE for request in server.retrieved(BDF)][:2] == [True, True]
    assert len(server.retrieved(BDF)) == 3


@pytest.mark.parametrize(
    "fault",
    [Fault(cut_after=100_000, range_off=1, times=2), Fault(cut_after=100_000, ignore_range=True, times=2)],
    ids=["wrong Content-Range", "range ignored"],
)
def test_a_file_that_does_not_go_on_at_its_byte_is_begun_again(house: Open, server: NgasServer, fault: Fault) -> None:
    """The first request is cut, the second, for the rest, gets other bytes than it asked for."""
    begun = house()
    server.faults.set(fault, file_id=BDF)
    begun.ask()
    begun.assert_right(begun.until("artefacts.staged", "request.failed"))
    assert [request.range for request in server.retrieved(BDF)] == [None, "bytes=100000-", None]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault(corrupt_at=BDF_SIZE // 2), ReasonCode.CHECKSUM_MISMATCH),
        (Fault(truncate_to=BDF_SIZE // 2), ReasonCode.SIZE_MISMATCH),
    ],
    ids=["corrupted byte", "truncated file served as whole"],
)
def test_damage_ends_the_request_and_names_file_and_server(
    house: Open, server: NgasServer, fault: Fault, reason: ReasonCode
) -> None:
    begun = house()
    server.faults.set(fault, file_id=BDF)
    begun.ask()
    failed = begun.until("request.failed", "artefacts.staged").data
    assert isinstance(failed, RequestFailed)
    assert failed.failures[0].reason is reason
    assert BDF in failed.failures[0].detail
    assert server.address in failed.failures[0].detail
    begun.assert_nothing_wrong()


def test_a_redirect_to_a_stranger_waits_for_a_person(house: Open, server: NgasServer) -> None:
    begun = house()
    server.faults.set(Fault(redirect_to="127.0.0.2:1"), file_id=BDF)
    begun.ask()
    assert "not an allowed host" in begun.dead_letter()
    begun.assert_nothing_wrong()


def test_a_redirect_to_an_allowed_host_is_followed_and_ends_well(
    house: Open, server: NgasServer, tmp_path: Path
) -> None:
    with NgasServer(tmp_path / "ngas2") as other:
        begun = house(allowed_hosts=(other.address,))
        for file in server.store.files():
            other.archive(server.root / file.path, file.file_id)
        server.faults.set(Fault(redirect_to=other.address))
        begun.ask()
        begun.assert_right(begun.until("artefacts.staged", "request.failed"))
        assert {request.file_id for request in other.retrieved()} == {f.file_id for f in server.store.files()}


def test_wrong_credentials_wait_for_a_person(house: Open, server: NgasServer) -> None:
    begun = house(user="ngas", password="wrong")
    server.credentials = ("ngas", "right")
    begun.ask()
    assert "does not let us in" in begun.dead_letter()
    assert list(begun.objects.list("asdm/")) == []


def test_a_file_without_recorded_checksum_is_taken_and_the_manifest_says_so(
    house: Open, server: NgasServer, tmp_path: Path
) -> None:
    begun = house()
    for path in begun.asdm.rglob("*Antenna.xml"):
        server.archive(path, f"{EBS[0].file_form}.Antenna.xml", version=7, checksum_plugin="None")
    report = location_report(begun.asdm, EBS[0], server)
    (entry,) = [entry for entry in report["files"] if entry["relative_path"] == "Antenna.xml"]
    where = tmp_path / "locations" / f"{EBS[0].file_form}.json"
    where.write_text(where.read_text().replace(f'"checksum": "{entry["checksum"]}"', '"checksum": "None"'))
    begun.ask()
    manifest = begun.assert_right(begun.until("artefacts.staged", "request.failed"))
    assert {file.path for file in manifest.files if file.archive_checksum is None} == {"Antenna.xml"}


def test_an_object_store_that_goes_away_and_comes_back_is_waited_for(house: Open, server: NgasServer) -> None:
    with S3Server() as s3:
        settings = s3.settings().model_copy(update={"retries": 0, "connect_timeout_seconds": 1})
        objects = S3Store(settings)
        begun = house(objects=objects)
        assert not list(objects.list("asdm/"))
        s3.kill()
        begun.ask()
        begun.until("request.waiting")
        s3.start()
        begun.assert_right(begun.until("artefacts.staged", "request.failed"))
        objects.close()


def test_an_object_store_that_dies_while_a_file_comes_is_waited_for(house: Open, server: NgasServer) -> None:
    with S3Server() as s3:
        objects = S3Store(s3.settings().model_copy(update={"retries": 0, "connect_timeout_seconds": 1}))
        begun = house(objects=objects, stall_timeout=30, claim_seconds=2)
        assert not list(objects.list("asdm/"))
        server.faults.set(Fault(stall=1.5, stall_after=1000, times=1), file_id=BDF)
        begun.ask()
        assert server.wait_for_request(BDF, SECONDS)
        s3.kill()
        begun.until("request.waiting")
        s3.start()
        begun.assert_right(begun.until("artefacts.staged", "request.failed"))
        objects.close()


def test_a_disk_that_is_full_is_waited_for_and_nothing_half_is_left(server: NgasServer, tmp_path: Path) -> None:
    write_asdm(tmp_path / "asdm", EBS[0], server, tmp_path / "locations")
    (tmp_path / "event.json").write_bytes(EVENT.encode())
    (tmp_path / "store").mkdir()
    paths = [str(tmp_path / name) for name in ("event.json", "store", "locations", "asdm")]
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.full_disk", *paths, server.address],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["waited", "staged"]

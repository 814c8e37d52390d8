"""Faults while a large file comes: it is received ahead, hashed aside and uploaded in parts to a real S3 server."""

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from threading import Thread
from uuid import uuid4

import pytest

from contracts.envelope import Event
from contracts.manifests import AsdmManifest
from contracts.messages import ArtefactsStaged, RequestCancelled, RequestFailed, StructureResolved
from contracts.reasons import ReasonCode
from observatory.ngas import Fault, NgasServer
from services.ngas_fetcher.service import build
from services.ngas_fetcher.settings import NgasFetcherSettings
from shared.objects.s3 import S3Store
from tests.support.delivery import RecordingDelivery
from tests.support.fetch_process import FetchProcesses
from tests.support.s3 import S3Server
from tests.unit.services.ngas_fetcher import samples
from tests.unit.services.ngas_fetcher.samples import EBS, REQUEST, STRUCTURE, bdf_names, write_asdm

MIB = 1 << 20
LARGE = 34 * MIB
"""Two parts of an upload and the beginning of a third."""

NAME = bdf_names(0)[0]
BDF = NAME.removeprefix("uid___").replace("_", "/")
EVENT = Event.first(
    StructureResolved(
        request=REQUEST, structure=STRUCTURE.model_copy(update={"products": (), "sessions": STRUCTURE.sessions[:1]})
    ),
    source="/test",
)


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with S3Server() as server:
        yield server


@pytest.fixture
def store(s3: S3Server) -> Iterator[S3Store]:
    store = S3Store(s3.settings(bucket=f"large-{uuid4().hex}"))
    store.put_bytes("begun", b"")
    yield store
    store.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NgasServer]:
    with NgasServer(tmp_path / "ngas") as server:
        yield server


@pytest.fixture(autouse=True)
def asdm(server: NgasServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An ASDM of one large binary file."""
    monkeypatch.setattr(samples, "BDF_SIZE", LARGE)
    monkeypatch.setattr(samples, "bdf_names", lambda seed: bdf_names(seed)[:1])
    return write_asdm(tmp_path / "asdm", EBS[0], server, tmp_path / "locations")


@pytest.fixture
def settings(server: NgasServer, tmp_path: Path) -> NgasFetcherSettings:
    return NgasFetcherSettings(
        hosts=(server.address,), location_directory=tmp_path / "locations", stall_timeout=30, backoff=0.01
    )


def handle(store: S3Store, settings: NgasFetcherSettings) -> list[Event]:
    service, delivery = build(objects=store, settings=settings), RecordingDelivery()
    service.handle(EVENT, delivery)
    service.close()
    return delivery.published


def assert_right(store: S3Store, asdm: Path) -> None:
    (found,) = [info for info in store.list("asdm/") if info.key.endswith("manifest.json")]
    (large,) = [f for f in AsdmManifest.model_validate_json(store.get(found.key)).files if f.path.endswith(NAME)]
    assert store.read(large.ref) == (asdm / "ASDMBinary" / NAME).read_bytes()


def assert_absent(store: S3Store) -> None:
    assert not [info for info in store.list("asdm/") if info.key.endswith((NAME, "manifest.json"))]


def leftovers(store: S3Store) -> int:
    """Remove uploads and digests that nobody names, and count them."""
    return store.sweep(timedelta(0))


def await_upload(store: S3Store) -> None:
    """Wait until a file is being uploaded in parts."""
    until = time.monotonic() + 60
    while not list(store._client.uploads()):
        assert time.monotonic() < until
        time.sleep(0.05)


def test_cuts_in_every_part_are_resumed_at_their_bytes(
    store: S3Store, settings: NgasFetcherSettings, server: NgasServer, asdm: Path
) -> None:
    server.faults.set(Fault(cut_after=LARGE // 10 + 1), file_id=BDF)
    assert any(isinstance(event.data, ArtefactsStaged) for event in handle(store, settings))
    asked = [request.range for request in server.retrieved(BDF)]
    assert asked == [None, *(f"bytes={n * (LARGE // 10 + 1)}-" for n in range(1, 10))]
    assert_right(store, asdm)
    assert leftovers(store) == 0


@pytest.mark.parametrize("place", [5, LARGE // 2, LARGE - 1])
def test_a_wrong_byte_ends_the_request_and_leaves_no_upload(
    store: S3Store, settings: NgasFetcherSettings, server: NgasServer, place: int
) -> None:
    server.faults.set(Fault(corrupt_at=place), file_id=BDF)
    (failed,) = [event.data for event in handle(store, settings) if isinstance(event.data, RequestFailed)]
    assert failed.failures[0].reason is ReasonCode.CHECKSUM_MISMATCH
    assert_absent(store)
    assert leftovers(store) == 0


def test_a_cancelled_upload_ends_within_seconds_and_leaves_nothing(
    store: S3Store, settings: NgasFetcherSettings, server: NgasServer
) -> None:
    server.faults.set(Fault(stall=60, stall_after=LARGE - 1), file_id=BDF)
    service = build(objects=store, settings=settings)
    worker = Thread(target=lambda: service.handle(EVENT, RecordingDelivery()))
    worker.start()
    await_upload(store)
    word = RequestCancelled(request_id=REQUEST.request_id, mous_uid=REQUEST.mous_uid, by="vrubin")
    service.hear(Event.first(word, source="/test"))
    worker.join(timeout=2)
    assert not worker.is_alive()
    service.close()
    assert_absent(store)
    assert leftovers(store) == 0


def test_what_a_killed_fetcher_had_uploaded_is_swept_and_fetched_anew(
    store: S3Store, settings: NgasFetcherSettings, server: NgasServer, s3: S3Server, asdm: Path, tmp_path: Path
) -> None:
    server.faults.set(Fault(stall=60, stall_after=LARGE - 1, times=1), file_id=BDF)
    where = s3.settings(bucket=store._settings.bucket)
    processes = FetchProcesses(event=EVENT, store=where, locations=tmp_path / "locations", host=server.address)
    killed = processes.start()
    try:
        await_upload(store)
    finally:
        killed.kill()
        killed.join()
    assert_absent(store)
    process = processes.start()
    process.join(60)
    assert process.exitcode == 0
    assert_right(store, asdm)
    assert leftovers(store) == 1
    assert_right(store, asdm)

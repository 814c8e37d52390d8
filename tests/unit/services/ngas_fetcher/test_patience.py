"""How long a file may take, and how the pauses between tries grow."""

import time
from pathlib import Path

import pytest

from observatory.ngas import Fault, NgasServer
from services.ngas_fetcher.client import NgasClient
from services.ngas_fetcher.errors import NgasAwayError
from services.ngas_fetcher.fetcher import FileFetcher
from services.ngas_fetcher.location import ArchiveFile
from services.ngas_fetcher.patience import Patience
from services.ngas_fetcher.stop import Stop
from shared.objects.directory import DirectoryStore

SIZE = 400_000
KEY = "asdm/x/files/b"


@pytest.fixture
def file(server: NgasServer, tmp_path: Path) -> ArchiveFile:
    (tmp_path / "data").write_bytes(bytes(SIZE))
    server.archive(tmp_path / "data", "slow", checksum_plugin="None")
    return ArchiveFile(path="b", file_id="slow", version=1, size=SIZE, checksum=None, servers=(server.address,))


def fetch(file: ArchiveFile, store: DirectoryStore, patience: Patience) -> None:
    client = NgasClient(known_hosts=file.servers, credentials=None, connect_timeout=5, stall_timeout=5)
    fetcher = FileFetcher(way=client, target=store, patience=patience)
    fetcher.fetch(file, KEY, stop=Stop(), on_position=lambda _: None)


def patience(**changes: float) -> Patience:
    values = {"backoff": 0.01, "limit": 0.02, "file_seconds": 0.2, "slowest": 1e12} | changes
    return Patience(attempts=10_000, **values)


def test_a_file_that_comes_too_slowly_is_given_up_at_its_deadline(
    server: NgasServer, store: DirectoryStore, file: ArchiveFile
) -> None:
    server.faults.set(Fault(stall=0.4, stall_after=SIZE // 2))
    with pytest.raises(NgasAwayError, match=r"is too slow: .* of 400000 bytes of slow .*the 0 s that a file"):
        fetch(file, store, patience())
    assert len(server.retrieved()) == 1
    assert store.info(KEY) is None


def test_a_large_file_has_more_time(server: NgasServer, store: DirectoryStore, file: ArchiveFile) -> None:
    server.faults.set(Fault(stall=0.4, stall_after=SIZE // 2))
    fetch(file, store, patience(slowest=SIZE / 60))
    assert store.info(KEY) is not None


@pytest.mark.parametrize(
    "fault",
    [Fault(busy=True), Fault(cut_after=1), Fault(cut_after=1, ignore_range=True)],
    ids=["busy", "a byte each time", "again and again from the beginning"],
)
def test_the_deadline_counts_all_tries_together(
    server: NgasServer, store: DirectoryStore, file: ArchiveFile, fault: Fault
) -> None:
    server.faults.set(fault)
    began = time.monotonic()
    with pytest.raises(NgasAwayError):
        fetch(file, store, patience())
    assert 0.2 <= time.monotonic() - began < 5


def test_the_deadline_counts_all_replicas_together(
    server: NgasServer, store: DirectoryStore, file: ArchiveFile, tmp_path: Path
) -> None:
    server.faults.set(Fault(busy=True))
    with NgasServer(tmp_path / "other") as other:
        other.faults.set(Fault(busy=True))
        both = ArchiveFile(
            path="b", file_id="slow", version=1, size=SIZE, checksum=None, servers=(server.address, other.address)
        )
        with pytest.raises(NgasAwayError):
            fetch(both, store, patience(file_seconds=0.3))
        assert len(server.retrieved()) > 3
        assert len(other.retrieved()) == 1


def test_pauses_double_up_to_a_limit() -> None:
    one = Patience(attempts=9, backoff=0.5, limit=30)
    assert [one.longest_pause(failures) for failures in (1, 2, 3, 7, 500)] == [0.5, 1, 2, 30, 30]

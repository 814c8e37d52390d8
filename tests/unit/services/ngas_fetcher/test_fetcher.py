"""One file from the real server into a real store, with each of the server's faults."""

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from socket import socket
from threading import Thread

import pytest
from structlog.testing import capture_logs

from contracts.messages.parts import ObjectRef
from contracts.reasons import ReasonCode
from observatory.ngas import Fault, NgasServer
from services.ngas_fetcher.checksums import Checksum
from services.ngas_fetcher.client import NgasClient
from services.ngas_fetcher.errors import FetchAbandonedError, NgasAwayError, NgasRefusedError
from services.ngas_fetcher.fetcher import FileFetcher
from services.ngas_fetcher.location import ArchiveFile
from services.ngas_fetcher.patience import Patience
from services.ngas_fetcher.stop import Stop
from shared.errors import BlockFailedError
from shared.objects.directory import DirectoryStore

SIZE = 5_000_000
DATA = random.Random(1).randbytes(SIZE)
FILE_ID = "A002/Xc7111c/X397b"
KEY = "asdm/x/files/b"

Fetch = Callable[..., bytes]


@pytest.fixture
def file(server: NgasServer, tmp_path: Path) -> ArchiveFile:
    return archived_on(server, tmp_path)


def archived_on(server: NgasServer, tmp_path: Path, **options: object) -> ArchiveFile:
    path = tmp_path / "data"
    path.write_bytes(DATA)
    stored = server.archive(path, FILE_ID, **options)  # type: ignore[arg-type]  # the test's own keywords
    return ArchiveFile(
        path="b",
        file_id=FILE_ID,
        version=stored.version,
        size=stored.size,
        checksum=Checksum.recorded(stored.checksum_plugin, stored.checksum),
        servers=(server.address,),
    )


@pytest.fixture
def replica(tmp_path: Path) -> Iterator[NgasServer]:
    with NgasServer(tmp_path / "replica") as server:
        archived_on(server, tmp_path)
        yield server


@pytest.fixture
def fetch(server: NgasServer, store: DirectoryStore) -> Fetch:
    def run(file: ArchiveFile, *, stop: Stop | None = None, **changes: object) -> bytes:
        options: dict[str, object] = {
            "known_hosts": (server.address,),
            "credentials": None,
            "connect_timeout": 2.0,
            "stall_timeout": 5.0,
        }
        client = NgasClient(**(options | changes))  # type: ignore[arg-type]  # the test's own keywords
        patience = Patience(attempts=4, backoff=0.01, limit=0.05)
        fetcher = FileFetcher(way=client, target=store, patience=patience)
        return store.read(fetcher.fetch(file, KEY, stop=stop or Stop(), on_position=lambda _: None))

    return run


def sent(server: NgasServer) -> int:
    return sum(request.sent for request in server.retrieved())


def test_a_whole_file_takes_one_request_that_pins_the_version(
    fetch: Fetch, server: NgasServer, file: ArchiveFile, tmp_path: Path
) -> None:
    (tmp_path / "newer").write_bytes(b"another version")
    server.archive(tmp_path / "newer", FILE_ID, version=2)
    assert fetch(file) == DATA
    assert len(server.retrieved()) == 1


def test_a_file_without_a_recorded_checksum_is_logged_with_what_was_computed(fetch: Fetch, file: ArchiveFile) -> None:
    with capture_logs() as logs:
        assert fetch(replace(file, checksum=None)) == DATA
    (told,) = [entry for entry in logs if entry["event"] == "file_without_checksum"]
    assert (told["file_id"], told["server"], told["computed"]) == (FILE_ID, file.servers[0], str(file.checksum))
    with capture_logs() as logs:
        fetch(file)
    assert [entry for entry in logs if entry["event"] == "file_without_checksum"] == []


def test_no_name_from_a_header_is_used(fetch: Fetch, server: NgasServer, store: DirectoryStore, tmp_path: Path) -> None:
    """Given a server that names the file ``x.sh`` in Content-Disposition, then it lies under its key alone."""
    path = tmp_path / "data"
    path.write_bytes(DATA)
    server.archive(path, "../../x.sh")
    file = replace(archived_on(server, tmp_path), file_id="../../x.sh")
    assert fetch(file) == DATA
    assert [info.key for info in store.list("")] == [KEY]


@pytest.mark.parametrize(
    "options",
    [
        {"checksum_plugin": "ngamsGenCrc32", "signed": True},
        {"checksum_plugin": "crc32z"},
        {"checksum_plugin": "crc32c"},
        {"checksum_plugin": "crc32c", "signed": True},
        {"checksum_plugin": "None"},
    ],
)
def test_every_kind_of_recorded_checksum_is_understood(
    fetch: Fetch, server: NgasServer, tmp_path: Path, options: dict[str, object]
) -> None:
    assert fetch(archived_on(server, tmp_path, **options)) == DATA


@pytest.mark.parametrize("plugin", ["ngamsGenCrc32", "crc32c"])
def test_one_wrong_byte_is_found_by_either_checksum(
    fetch: Fetch, server: NgasServer, store: DirectoryStore, tmp_path: Path, plugin: str
) -> None:
    file = archived_on(server, tmp_path, checksum_plugin=plugin)
    server.faults.set(Fault(corrupt_at=SIZE - 1))
    with pytest.raises(BlockFailedError, match=f"{FILE_ID}: expected .*, got .*, from {server.address}") as failed:
        fetch(file)
    assert failed.value.reason is ReasonCode.CHECKSUM_MISMATCH
    assert store.info(KEY) is None


@pytest.mark.parametrize("tenth", range(10))
@pytest.mark.parametrize("reset", [False, True])
def test_a_cut_transfer_goes_on_where_it_stopped(
    fetch: Fetch, server: NgasServer, file: ArchiveFile, tenth: int, reset: bool
) -> None:
    server.faults.set(Fault(cut_after=tenth * SIZE // 10, reset=reset, times=1))
    assert fetch(file) == DATA
    first, second = server.retrieved()
    assert first.range is None
    if not reset:
        assert sent(server) == SIZE, "no byte is sent twice"
        assert second.range == (f"bytes={tenth * SIZE // 10}-" if tenth else None)


def test_a_transfer_that_is_cut_again_and_again_ends_as_long_as_bytes_arrive(
    fetch: Fetch, server: NgasServer, file: ArchiveFile
) -> None:
    server.faults.set(Fault(cut_after=SIZE // 12))
    assert fetch(file) == DATA
    assert len(server.retrieved()) == 13
    assert sent(server) == SIZE


def test_a_stalled_transfer_is_resumed(fetch: Fetch, server: NgasServer, file: ArchiveFile) -> None:
    server.faults.set(Fault(stall=30, stall_after=2 << 20, times=1))
    assert fetch(file, stall_timeout=1.0) == DATA
    assert [request.range for request in server.retrieved()] == [None, f"bytes={2 << 20}-"]


def test_a_server_that_ignores_the_range_is_read_from_the_beginning(
    fetch: Fetch, server: NgasServer, file: ArchiveFile
) -> None:
    server.faults.set(Fault(cut_after=1 << 20, ignore_range=True, times=1))
    server.faults.set(Fault(cut_after=1 << 20, times=1), file_id=FILE_ID)
    assert fetch(file) == DATA
    assert [request.range for request in server.retrieved()] == [None, f"bytes={1 << 20}-", None]


def test_a_busy_server_is_asked_again_and_a_reset_too(fetch: Fetch, server: NgasServer, file: ArchiveFile) -> None:
    server.faults.set(Fault(busy=True, reset=True, times=3))
    assert fetch(file) == DATA
    assert len(server.retrieved()) == 4


def test_patience_with_a_busy_server_has_an_end(fetch: Fetch, server: NgasServer, file: ArchiveFile) -> None:
    server.faults.set(Fault(busy=True))
    with pytest.raises(NgasAwayError, match="HTTP 503"):
        fetch(file)
    assert len(server.retrieved()) == 4


def test_a_missing_file_fails_at_once(fetch: Fetch, server: NgasServer, file: ArchiveFile) -> None:
    with pytest.raises(BlockFailedError, match="nowhere version 1: not on") as failed:
        fetch(replace(file, file_id="nowhere"))
    assert failed.value.reason is ReasonCode.FILE_NOT_IN_ARCHIVE
    assert len(server.retrieved()) == 1


def test_a_file_of_an_offline_server_is_not_missing(fetch: Fetch, server: NgasServer, file: ArchiveFile) -> None:
    server.faults.set(Fault(offline=True, times=2))
    assert fetch(file) == DATA


@pytest.mark.parametrize("fault", [Fault(corrupt_at=0), Fault(truncate_to=10), Fault(busy=True), Fault(offline=True)])
def test_another_replica_serves_what_the_first_cannot(
    fetch: Fetch, server: NgasServer, replica: NgasServer, file: ArchiveFile, fault: Fault
) -> None:
    server.faults.set(fault)
    assert fetch(replace(file, servers=(server.address, replica.address))) == DATA


def test_damage_on_every_replica_names_each(
    fetch: Fetch, server: NgasServer, replica: NgasServer, file: ArchiveFile
) -> None:
    server.faults.set(Fault(corrupt_at=0))
    replica.faults.set(Fault(corrupt_at=1))
    with pytest.raises(BlockFailedError, match=f"from {server.address}; .*from {replica.address}"):
        fetch(replace(file, servers=(server.address, replica.address)))


def test_a_damaged_replica_is_no_verdict_while_another_is_away(
    fetch: Fetch, server: NgasServer, replica: NgasServer, file: ArchiveFile
) -> None:
    server.faults.set(Fault(corrupt_at=0))
    replica.faults.set(Fault(busy=True))
    with pytest.raises(NgasAwayError):
        fetch(replace(file, servers=(server.address, replica.address)))


def test_an_unreachable_server_is_away(fetch: Fetch, file: ArchiveFile) -> None:
    with socket() as unused:
        unused.bind(("127.0.0.1", 0))
        nobody = f"127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(NgasAwayError, match=f"{nobody} does not answer"):
            fetch(replace(file, servers=(nobody,)))


def test_credentials_go_to_known_hosts_only(
    fetch: Fetch, server: NgasServer, replica: NgasServer, file: ArchiveFile
) -> None:
    assert fetch(file, credentials=("ngas", "secret")) == DATA
    assert fetch(replace(file, servers=(replica.address,)), credentials=("ngas", "secret")) == DATA
    assert server.retrieved()[0].authorized
    assert not replica.retrieved()[0].authorized


def test_wrong_credentials_are_for_a_person_to_mend(fetch: Fetch, tmp_path: Path) -> None:
    with NgasServer(tmp_path / "closed", credentials=("ngas", "secret")) as closed:
        file = archived_on(closed, tmp_path)
        with pytest.raises(NgasRefusedError, match=r"HTTP 401.*NGAS_FETCHER_USER"):
            fetch(file, known_hosts=(closed.address,), credentials=("ngas", "wrong"))
        assert fetch(file, known_hosts=(closed.address,), credentials=("ngas", "secret")) == DATA


def test_redirects_in_a_circle_end(fetch: Fetch, server: NgasServer, file: ArchiveFile) -> None:
    server.faults.set(Fault(redirect_to=server.address))
    with pytest.raises(NgasRefusedError, match="redirects more than 3 times"):
        fetch(file)


def test_the_word_to_stop_ends_a_transfer_and_leaves_nothing(
    server: NgasServer, store: DirectoryStore, file: ArchiveFile, fetch: Fetch
) -> None:
    server.faults.set(Fault(busy=True))
    stop = Stop()
    teller = Thread(target=stop.tell)
    teller.start()
    with pytest.raises(FetchAbandonedError):
        fetch(file, stop=stop)
    teller.join()
    assert store.info(KEY) is None


def test_a_server_killed_in_the_middle_leaves_no_partial_file(
    fetch: Fetch, server: NgasServer, store: DirectoryStore, file: ArchiveFile
) -> None:
    server.faults.set(Fault(cut_after=1 << 20, reset=True, times=1))
    server.faults.set(Fault(cut_after=0, reset=True), file_id="")
    server.faults.set(Fault(cut_after=1 << 20, reset=True, times=1), file_id=FILE_ID)
    with pytest.raises(NgasAwayError):
        fetch(file)
    assert store.info(KEY) is None


def test_the_target_knows_how_many_bytes_come_so_that_it_needs_the_memory_that_is_counted(
    fetch: Fetch, file: ArchiveFile, store: DirectoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, put = list[int | None](), store.put

    def remembering(key: str, chunks: Iterable[bytes], *, at_most: int | None = None) -> ObjectRef:
        told.append(at_most)
        return put(key, chunks)

    monkeypatch.setattr(store, "put", remembering)
    assert fetch(file) == DATA
    assert told == [SIZE]

"""Waits for a server: the word to stop ends each within seconds, and work that goes on is not taken for a stall."""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from socket import create_connection, create_server, socket
from threading import Thread, Timer

import pytest

from observatory.ngas import Fault, NgasServer
from services.ngas_fetcher.client import NgasClient
from services.ngas_fetcher.direct_copy import DirectCopy
from services.ngas_fetcher.errors import FetchAbandonedError, NgasAwayError
from services.ngas_fetcher.hosts import HostSlots
from services.ngas_fetcher.stop import Stop

SOON = 2.0
STALL = 0.3
SIZE = 1000


def client(*known: str, stall: float = 60, limit: int = 4) -> NgasClient:
    return NgasClient(
        known_hosts=known, credentials=None, connect_timeout=60, stall_timeout=stall, hosts=HostSlots(limit=limit)
    )


@pytest.fixture
def silent() -> Iterator[socket]:
    """A server that takes connections, as many as wait in its queue, and says nothing."""
    with create_server(("127.0.0.1", 0), backlog=0) as listener:
        yield listener


def address(listener: socket) -> str:
    return "{}:{}".format(*listener.getsockname())


def assert_ends_soon(call: Callable[[Stop], object]) -> None:
    stop, began = Stop(), time.monotonic()
    teller = Timer(0.1, stop.tell)
    teller.start()
    with pytest.raises(FetchAbandonedError):
        call(stop)
    assert time.monotonic() - began < SOON
    teller.join()


def test_the_word_to_stop_ends_the_wait_for_an_answer(silent: socket) -> None:
    def retrieve(stop: Stop) -> None:
        with client().open(address(silent), "x", 1, stop=stop):
            pass

    assert_ends_soon(retrieve)
    assert_ends_soon(lambda stop: client().record(address(silent), "x", stop=stop))


def test_the_word_to_stop_ends_the_wait_for_a_connection(silent: socket) -> None:
    """Given a server whose queue is full, so that the kernel answers no further connection."""

    def retrieve(stop: Stop) -> None:
        with client().open(address(silent), "x", 1, stop=stop):
            pass

    with create_connection(silent.getsockname()):
        assert_ends_soon(retrieve)


def test_the_word_to_stop_ends_the_wait_for_a_direct_copy(silent: socket, tmp_path: Path) -> None:
    def copy(stop: Stop) -> None:
        way = DirectCopy(client=client(), directory=tmp_path)
        with way.open(address(silent), "x", 1, start=0, stop=stop, until=time.monotonic() + 60):
            pass

    assert_ends_soon(copy)


@pytest.fixture
def copied(server: NgasServer, tmp_path: Path) -> Callable[[float], int]:
    """Have a file copied by a server that says nothing for three times as long as a stall may last."""
    (tmp_path / "data").write_bytes(bytes(SIZE))
    server.archive(tmp_path / "data", "x")

    def copy(seconds: float) -> int:
        way = DirectCopy(client=client(server.address, stall=STALL), directory=tmp_path)
        with way.open(server.address, "x", 1, start=0, stop=Stop(), until=time.monotonic() + seconds) as body:
            return sum(map(len, body.chunks()))

    return copy


def grow(source: Path, target: str) -> None:
    with Path(target).open("wb", buffering=0) as file:
        for _ in range(10):
            file.write(bytes(SIZE // 10))
            time.sleep(STALL / 3)


def hang(source: Path, target: str) -> None:
    time.sleep(4 * STALL)
    shutil.copy(source, target)


def test_a_direct_copy_that_grows_is_no_stall(copied: Callable[[float], int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("observatory.ngas.handler.shutil.copyfile", grow)
    assert copied(60) == SIZE


def test_a_direct_copy_that_does_not_grow_is_a_stall(
    copied: Callable[[float], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("observatory.ngas.handler.shutil.copyfile", hang)
    with pytest.raises(NgasAwayError, match=r"no byte came for 0\.3 s"):
        copied(60)


def test_a_direct_copy_that_grows_too_slowly_is_given_up_at_its_deadline(
    copied: Callable[[float], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("observatory.ngas.handler.shutil.copyfile", grow)
    with pytest.raises(NgasAwayError):
        copied(STALL)


def test_the_host_that_a_redirect_leads_to_is_asked_in_a_slot_of_its_own(server: NgasServer, tmp_path: Path) -> None:
    with NgasServer(tmp_path / "node") as node:
        (tmp_path / "data").write_bytes(bytes(SIZE))
        node.archive(tmp_path / "data", "x")
        server.faults.set(Fault(redirect_to=node.address))
        asking = client(server.address, node.address, limit=1)
        with asking.open(server.address, "x", 1) as body:
            assert asking.hosts.has_room(server.address)
            assert not asking.hosts.has_room(f"http://{node.address}/")
            with (
                pytest.raises(NgasAwayError, match="no free place"),
                asking.open(server.address, "x", 1, until=time.monotonic()),
            ):
                pass
            assert sum(map(len, body.chunks())) == SIZE
        assert asking.hosts.has_room(node.address)


def test_a_reply_of_206_is_taken_where_it_begins_at_the_byte_asked_for(silent: socket) -> None:
    def answer() -> None:
        with silent.accept()[0] as connection:
            connection.recv(65536)
            connection.sendall(
                b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 2-4/5\r\nContent-Length: 3\r\n\r\ncde"
            )

    server = Thread(target=answer)
    server.start()
    with client().open(address(silent), "x", 1, start=2) as body:
        assert (body.start, body.total, b"".join(body.chunks())) == (2, 5, b"cde")
    server.join()

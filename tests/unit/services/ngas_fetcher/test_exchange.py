"""One request and its reply, against a socket that says what no NGAS server would, and against TLS."""

import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from socket import create_connection, create_server, socket
from threading import Event, Thread
from urllib.parse import urlsplit

import pytest

from services.ngas_fetcher.exchange import BadAddressError, ExchangeError, Exchanges, Waiting
from services.ngas_fetcher.stop import Stop
from tests.support.certificates import certificate_for

Serve = Callable[..., str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Answer one connection with the given pieces, and give the address."""
    threads: list[Thread] = []

    def begin(*pieces: bytes, tls: ssl.SSLContext | None = None, pause: float = 0) -> str:
        listener = create_server(("127.0.0.1", 0))

        def answer() -> None:
            with closing(listener):
                connection = listener.accept()[0]
            with closing(_secured(connection, tls)) as secured:
                assert secured.recv(65536).startswith(b"GET /RETRIEVE?file_id=x HTTP/1.0\r\nHost: 127.0.0.1:")
                for piece in pieces:
                    secured.sendall(piece)
                    time.sleep(pause)

        threads.append(Thread(target=answer))
        threads[-1].start()
        return f"127.0.0.1:{listener.getsockname()[1]}"

    yield begin
    for thread in threads:
        thread.join()


def _secured(connection: socket, tls: ssl.SSLContext | None) -> socket:
    return tls.wrap_socket(connection, server_side=True) if tls else connection


def get(address: str, *, scheme: str = "http", piece: int = 1 << 20, stall: float = 5) -> tuple[int, list[bytes]]:
    exchanges = Exchanges(connect_timeout=5, stall_timeout=stall)
    with exchanges.get(urlsplit(f"{scheme}://{address}/RETRIEVE?file_id=x"), {}, Waiting(stop=Stop())) as reply:
        return reply.status, list(iter(lambda: reply.read(piece), b""))


def test_a_body_comes_in_full_pieces_however_it_was_sent(serve: Serve) -> None:
    address = serve(b"HTTP/1.0 200 OK\r\nContent-Length: 9000\r\n\r\n", *[b"x" * 100] * 90)
    status, pieces = get(address, piece=4000)
    assert (status, sum(map(len, pieces))) == (200, 9000)
    assert len(pieces) <= 4


def test_what_is_behind_the_stated_length_is_not_taken(serve: Serve) -> None:
    address = serve(b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabcdef")
    assert get(address)[1] == [b"abc"]


def test_without_a_length_the_body_ends_with_the_connection(serve: Serve) -> None:
    address = serve(b"HTTP/1.0 200 OK\n\n", b"abc", b"def")
    assert b"".join(get(address)[1]) == b"abcdef"


def test_a_negative_length_is_no_length(serve: Serve) -> None:
    """A real server says this of a range that begins behind the end."""
    assert get(serve(b"HTTP/1.0 200 OK\r\nContent-Length: -5\r\n\r\n"))[1] == []


def test_a_small_body_is_one_piece_also_if_some_of_it_came_with_the_headers(serve: Serve) -> None:
    address = serve(b"HTTP/1.0 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 500, b"x" * 99_500)
    assert list(map(len, get(address)[1])) == [100_000]


def test_a_body_has_ended_when_all_of_it_is_there_and_not_when_the_connection_ends() -> None:
    """Given a server that goes on holding the connection, then nobody waits for bytes that will not come."""
    taken = Event()

    def answer(listener: socket) -> None:
        with closing(listener.accept()[0]) as connection:
            connection.recv(65536)
            for piece in (b"HTTP/1.0 200 OK\r\nContent-Length: 700000\r\n\r\n", b"x" * 600_000, b"x" * 100_000):
                connection.sendall(piece)
            taken.wait(60)

    with create_server(("127.0.0.1", 0)) as listener:
        server = Thread(target=answer, args=(listener,))
        server.start()
        try:
            assert sum(map(len, get("{}:{}".format(*listener.getsockname()), stall=30)[1])) == 700_000
        finally:
            taken.set()
            server.join()


def test_a_folded_header_is_one_and_only_a_line_feed_ends_a_line(serve: Serve) -> None:
    """So that no value can pass for a header."""
    address = serve(b"HTTP/1.0 200 OK\r\nX: a\r\n Content-Length: 1\r\nY: b\x85Content-Length: 2\r\n\r\n", b"abc")
    assert get(address) == (200, [b"abc"])


def test_a_length_may_be_said_twice(serve: Serve) -> None:
    assert get(serve(b"HTTP/1.0 200 OK\r\n" + b"Content-Length: 3\r\n" * 2 + b"\r\nabcdef"))[1] == [b"abc"]


def test_a_server_that_lets_nobody_in_is_not_waited_for(serve: Serve) -> None:
    """Given one whose queue is full, so that the kernel answers no further connection."""
    with create_server(("127.0.0.1", 0), backlog=0) as listener, create_connection(listener.getsockname()):
        exchanges = Exchanges(connect_timeout=0.2, stall_timeout=60)
        address = urlsplit("http://{}:{}/".format(*listener.getsockname()))
        with pytest.raises(ExchangeError, match=r"no connection came about within 0\.2 s"):
            exchanges.get(address, {}, Waiting(stop=Stop()))


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"", "without an answer"),
        (b"HTTP/1.0 200", "without an answer"),
        (b"SSH-2.0-x\r\n\r\n", "no HTTP"),
        (b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "'chunked' coding"),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc", "two lengths: '3' and '4'"),
        (b"HTTP/1.0 200 OK\r\n" + b"X: y\r\n" * 20000, "do not end"),
    ],
)
def test_what_is_no_reply_is_told(serve: Serve, answer: bytes, told: str) -> None:
    with pytest.raises(ExchangeError, match=told):
        get(serve(answer))


@pytest.mark.parametrize("url", ["http://", "http://host:x/", "ftp://host/", "http://host/a b", "http://host/\r\nX: y"])
def test_what_is_no_address_is_asked_nothing(url: str) -> None:
    address = urlsplit(url)._replace(path=url.rpartition("host")[2])
    with pytest.raises(BadAddressError):
        Exchanges(connect_timeout=1, stall_timeout=1).get(address, {}, Waiting(stop=Stop()))


def test_a_trusted_server_is_spoken_to_over_tls(serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = certificate_for("127.0.0.1", tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(made.certificate, made.key)
    monkeypatch.setenv("SSL_CERT_FILE", str(made.certificate))
    body = bytes(range(256)) * 1000
    address = serve(b"HTTP/1.0 200 OK\r\nContent-Length: 256000\r\n\r\n", body, tls=tls)
    assert b"".join(get(address, scheme="https", piece=100_000)[1]) == body


def test_a_stranger_is_not_spoken_to(tmp_path: Path) -> None:
    made = certificate_for("127.0.0.1", tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(made.certificate, made.key)
    with create_server(("127.0.0.1", 0)) as listener:
        stranger = Thread(target=_shake_hands, args=(listener, tls))
        stranger.start()
        with pytest.raises(ExchangeError, match=r"certificate|CERTIFICATE"):
            get("{}:{}".format(*listener.getsockname()), scheme="https")
        stranger.join()


def test_bytes_that_trickle_over_tls_are_passed_on_in_time(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that whoever takes them sees that the file comes too slowly."""
    made = certificate_for("127.0.0.1", tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(made.certificate, made.key)
    monkeypatch.setenv("SSL_CERT_FILE", str(made.certificate))
    address = serve(b"HTTP/1.0 200 OK\r\n\r\n", *[b"x"] * 20, tls=tls, pause=0.05)
    assert len(get(address, scheme="https", stall=0.2)[1]) > 2


def _shake_hands(listener: socket, tls: ssl.SSLContext) -> None:
    with closing(listener.accept()[0]) as connection, pytest.raises(ssl.SSLError):
        tls.wrap_socket(connection, server_side=True)

"""A process tells over HTTP whether it lives, can take work, and what it has done."""

import socket
import struct
from collections.abc import Iterator
from http.client import HTTPConnection
from queue import Queue
from threading import Event as Flag
from threading import Thread, current_thread

import pytest
from prometheus_client import CollectorRegistry, Counter

from shared.errors import MisconfiguredError
from shared.health import HealthServer


class Switch:
    """Something that is ready or not."""

    ready = True


@pytest.fixture
def switch() -> Switch:
    return Switch()


@pytest.fixture
def server(switch: Switch) -> Iterator[HealthServer]:
    registry = CollectorRegistry()
    Counter("things", "Things done", registry=registry).inc(3)
    with HealthServer(
        host="127.0.0.1", port=0, is_live=lambda: True, is_ready=lambda: switch.ready, registry=registry
    ) as running:
        yield running


def get(server: HealthServer, path: str) -> tuple[int, str]:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def test_readiness_follows_the_dependencies_and_liveness_does_not(server: HealthServer, switch: Switch) -> None:
    assert get(server, "/ready")[0] == 200
    switch.ready = False
    assert get(server, "/ready")[0] == 503
    assert get(server, "/live")[0] == 200


def test_metrics_are_shown(server: HealthServer) -> None:
    status, text = get(server, "/metrics")
    assert status == 200
    assert "things_total 3.0" in text


def test_another_path_says_which_there_are(server: HealthServer) -> None:
    status, text = get(server, "/")
    assert status == 404
    assert "/live" in text


@pytest.mark.parametrize(("error", "told"), [(None, ""), (ZeroDivisionError(), "ZeroDivisionError")])
def test_who_goes_away_without_the_answer_leaves_no_traceback_in_the_log_and_an_error_does(
    error: Exception | None, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    handlers, gone = Queue[Thread](), Flag()

    def is_ready() -> bool:
        handlers.put(current_thread())
        gone.wait(10)
        if error:
            raise error
        return True

    registry = CollectorRegistry()
    with HealthServer(host="127.0.0.1", port=0, is_live=lambda: True, is_ready=is_ready, registry=registry) as server:
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # it resets as it closes
            client.sendall(b"GET /ready HTTP/1.0\r\n\r\n")
            handler = handlers.get(timeout=10)
        gone.set()
        handler.join(10)
    said = capsys.readouterr().err
    assert (told in said, "Traceback" in said) == (True, bool(told))


def test_an_address_that_cannot_be_listened_on_is_told_with_the_settings_to_change(server: HealthServer) -> None:
    for host, port, why in (("127.0.0.1", server.port, "Address already in use"), ("192.0.2.1", 0, "Cannot assign")):
        with pytest.raises(MisconfiguredError, match=f"{host} port {port}: {why}.*; set ALMA_RESTORE_HTTP_HOST and"):
            HealthServer(
                host=host, port=port, is_live=lambda: True, is_ready=lambda: True, registry=CollectorRegistry()
            )

"""A process tells over HTTP whether it lives, can take work, and what it has done."""

from collections.abc import Iterator
from http.client import HTTPConnection

import pytest
from prometheus_client import CollectorRegistry, Counter

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

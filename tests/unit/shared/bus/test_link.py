"""A link whose broker is away asks again and again, ever less often, up to a limit, and lives as long as it asks."""

import socket
from itertools import pairwise
from threading import Event as Flag
from time import monotonic
from unittest.mock import Mock

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from shared.bus.declaring import connected
from shared.bus.link import Link, LinkOwner
from shared.bus.settings import RabbitSettings
from tests.contract.bus_harness import Collector
from tests.support.ports import free_ports

FIRST, LONGEST = 0.02, 0.3


def test_the_wait_between_tries_doubles_up_to_a_limit() -> None:
    (port,) = free_ports(1)
    settings = RabbitSettings(
        url=SecretStr(f"amqp://127.0.0.1:{port}"), reconnect_delay=FIRST, reconnect_delay_max=LONGEST
    )
    tries = Collector[float]()
    link = Link(name="away", settings=settings, owner=Mock(spec=LinkOwner), prepare=lambda: tries(monotonic()))
    link.start()
    try:
        found = [later - earlier for earlier, later in pairwise(tries.wait_for(11, 60))]
        assert link.is_alive
    finally:
        link.close()
    assert link.is_alive
    wanted = [min(FIRST * 2**step, LONGEST) for step in range(10)]
    assert all(wait >= least / 2 for wait, least in zip(found, wanted, strict=False))
    # Without a limit the last one would be five seconds at the least.
    assert found[9] < 5.0


def test_that_the_broker_is_away_is_told_once_for_each_reason_in_words_for_people() -> None:
    ports = free_ports(2)
    settings = [RabbitSettings(url=SecretStr(f"amqp://127.0.0.1:{port}"), reconnect_delay=FIRST) for port in ports]
    tries = Collector[int]()

    def prepare() -> None:
        """Fail in another way from the third try on."""
        tries(1)
        if len(tries.items) > 2:
            with connected(settings[1], "away"):
                pass

    with capture_logs() as logs:
        link = Link(name="away", settings=settings[0], owner=Mock(spec=LinkOwner), prepare=prepare)
        link.start()
        try:
            tries.wait_for(6, 60)
        finally:
            link.close()
    told = [entry["reason"] for entry in logs if entry["event"] == "bus_away_reconnecting"]
    assert told[0] == "Connection refused"
    assert told[1].startswith("RabbitMQ cannot be reached at")
    assert told[1].endswith(": Connection refused")
    assert len(told) == 2


def test_a_link_that_is_closed_before_its_connection_stands_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, capture_logs() as logs:
        url = f"amqp://127.0.0.1:{server.getsockname()[1]}"
        settings = RabbitSettings(url=SecretStr(url), reconnect_delay=FIRST)
        link = Link(name="hasty", settings=settings, owner=Mock(spec=LinkOwner), prepare=lambda: None)
        link.start()
        accepted, _ = server.accept()
        with accepted:
            accepted.recv(8)  # the client's greeting, which is never answered
            began = monotonic()
            link.close()
    assert monotonic() - began < 5.0
    assert logs == []


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_link_whose_thread_ended_unasked_lives_no_more() -> None:
    let_go, tries = Flag(), Collector[bool]()

    def end() -> None:
        tries(let_go.wait(30))
        raise SystemExit

    link = Link(name="ended", settings=RabbitSettings(), owner=Mock(spec=LinkOwner), prepare=end)
    assert not link.is_alive, "its owner does not know it yet, and would be told of a channel"
    link.start()
    assert link.is_alive
    let_go.set()
    tries.wait_for(1)
    until = monotonic() + 30
    while link.is_alive:
        assert monotonic() < until
    link.close()

"""A link whose broker is away asks again and again, ever less often, up to a limit."""

from itertools import pairwise
from time import monotonic
from unittest.mock import Mock

from pydantic import SecretStr

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
    try:
        found = [later - earlier for earlier, later in pairwise(tries.wait_for(11, 60))]
    finally:
        link.close()
    wanted = [min(FIRST * 2**step, LONGEST) for step in range(10)]
    assert all(wait >= least / 2 for wait, least in zip(found, wanted, strict=False))
    # Without a limit the last one would be five seconds at the least.
    assert found[9] < 5.0

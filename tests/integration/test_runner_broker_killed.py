"""A broker that is killed while CASA works: the order comes again, and the block is told once."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from contracts.envelope import Event
from contracts.flow import QUEUES
from contracts.messages import RestoreCompleted, RestoreStarted
from services.casa_runner.service import NAME
from shared.bus.rabbitmq import RabbitBus
from shared.bus.retry import RetryPolicy
from shared.bus.settings import RabbitSettings
from shared.metrics import ServiceMetrics
from shared.objects.directory import DirectoryStore
from shared.runtime import Runtime
from tests.support.casa_bench import Bench
from tests.support.rabbitmq import RabbitServer
from tests.support.samples import EB, MOUS

ENOUGH, SOON = 60.0, 5.0
WAIT_FOR_GO = """
go = pathlib.Path(job["result"]).parents[4] / "go"
while not go.exists():
    say("applycal", 50)
    time.sleep(0.05)
"""


@pytest.fixture
def server() -> Iterator[RabbitServer]:
    with RabbitServer() as own:
        yield own


def wait_for(condition: Callable[[], object]) -> None:
    until = time.monotonic() + ENOUGH
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


def is_heard(bus: RabbitBus, said: list[object]) -> bool:
    """Say something until it is heard."""
    probe = RestoreStarted(request_id=uuid4(), mous_uid=MOUS, eb_uid=EB, runner="probe", attempt=1)
    bus.publish([Event.first(probe, source="/test")])
    return any(isinstance(data, RestoreStarted) and data.runner == "probe" for data in said)


def test_a_block_whose_broker_is_killed_meanwhile_is_restored_and_told_once(
    server: RabbitServer, tmp_path: Path
) -> None:
    bench = Bench(tmp_path, DirectoryStore(tmp_path / "store"))
    runner = bench.runner(WAIT_FOR_GO)
    settings = RabbitSettings(url=SecretStr(server.url), prefix="killed", broker_consumer_timeout=10_000_000)
    said: list[object] = []
    with closing(RabbitBus(settings=settings, retry=RetryPolicy(delays=(1.0,)))) as bus:
        bus.declare(QUEUES)
        stop = bus.listen(lambda event: said.append(event.data), topics=("restore.started", "restore.completed"))
        Runtime(bus=bus, metrics=ServiceMetrics(CollectorRegistry())).add(runner)
        time.sleep(1.0)  # declarations of a quorum queue last only after a moment
        bus.publish([bench.order()])
        wait_for(lambda: bench.launcher.started)
        server.kill()
        assert bench.launcher.started[0].wait(SOON) is not None
        server.start()
        wait_for(lambda: len(bench.launcher.started) > 1)
        wait_for(lambda: is_heard(bus, said))  # who only listens has a connection of its own, and is kept nothing
        (tmp_path / "go").touch()
        wait_for(lambda: any(isinstance(data, RestoreCompleted) for data in said))
        wait_for(lambda: bus.depths([NAME])[0].ready == 0)
        stop()
    assert len(bench.launcher.started) == 2
    assert sum(isinstance(data, RestoreCompleted) for data in said) == 1
    assert any(isinstance(data, RestoreStarted) and data.runner != "probe" for data in said)
    assert bench.left == []

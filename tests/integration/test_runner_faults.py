"""What befalls a restore, through the whole service over RabbitMQ; only CASA is a stand-in, in a process of its own."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from contracts.envelope import Event
from contracts.flow import QUEUES
from contracts.messages import RequestCancelled, RestoreCompleted, RestoreFailed, RestoreOrdered, RestoreProgressed
from contracts.reasons import ReasonCode
from services.casa_runner.service import NAME
from shared.bus.rabbitmq import RabbitBus
from shared.bus.retry import RetryPolicy
from shared.bus.settings import RabbitSettings
from shared.metrics import ServiceMetrics
from shared.objects.directory import DirectoryStore
from shared.runtime import Runtime
from tests.support.casa_bench import HANG, Bench
from tests.support.casa_standin import MOUS
from tests.support.rabbitmq import RabbitServer

ENOUGH = 30.0
STEPS = ("inputs", "importasdm", "flagmanager", "applycal", "split", "verify")
ALL_STEPS = f"""
at = pathlib.Path(__file__).parent / "silent-at"
for number, step in enumerate({STEPS[2:]}):
    if at.exists() and at.read_text() in ("inputs", "importasdm"):
        {HANG}
    say(step, 20 + 10 * number)
    if at.exists() and at.read_text() == step:
        {HANG}
"""


class Site:
    """Runners with stand-ins for CASA on one broker and one store, and all that they say.

    Parameters
    ----------
    server
        The broker.
    folder
        Where everything lies.
    """

    def __init__(self, server: RabbitServer, folder: Path) -> None:
        self.said: list[Event] = []
        self.objects = DirectoryStore(folder / "store")
        self._folder = folder
        self._settings = RabbitSettings(
            url=SecretStr(server.url),
            prefix=f"faults-{uuid4().hex[:8]}",
            broker_consumer_timeout=10_000_000,
            settle_time=0.0,
        )
        self._stack = ExitStack()
        self.bus = self._open()
        self.bus.declare(QUEUES)
        topics = tuple(kind.topic for kind in (RestoreProgressed, RestoreCompleted, RestoreFailed))
        self._stack.callback(self.bus.listen(self.said.append, topics=topics))

    def _open(self) -> RabbitBus:
        retry = RetryPolicy(delays=(0.3,))
        return self._stack.enter_context(closing(RabbitBus(settings=self._settings, retry=retry)))

    def begin(self, behaviour: str, *, memory: int | None = None, **settings: object) -> Bench:
        """Start one more runner, with a bus and a scratch directory of its own."""
        folder = self._folder / uuid4().hex
        folder.mkdir()
        bench = Bench(folder, self.objects)
        runner = bench.runner(behaviour, **settings)
        bench.launcher.memory = memory
        Runtime(bus=self._open(), metrics=ServiceMetrics(CollectorRegistry())).add(runner)
        return bench

    def heard(self, kind: type[RestoreCompleted] | type[RestoreFailed] | type[RestoreProgressed]) -> list[Event]:
        """Tell what was said of a kind."""
        return [event for event in tuple(self.said) if isinstance(event.data, kind)]

    def is_at(self, step: str, request: UUID) -> bool:
        """Whether a request's block was said to be at a step."""
        words = [event.data for event in self.heard(RestoreProgressed)]
        return any(
            word.request_id == request and word.step == step for word in words if isinstance(word, RestoreProgressed)
        )

    def close(self) -> None:
        """End all runners."""
        self._stack.close()


@pytest.fixture
def site(rabbit_server: RabbitServer, tmp_path: Path) -> Iterator[Site]:
    with closing(Site(rabbit_server, tmp_path)) as made:
        yield made


def wait_for(condition: Callable[[], object]) -> None:
    until = time.monotonic() + ENOUGH
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def request_of(event: Event) -> UUID:
    """Tell whose order or outcome it is."""
    assert isinstance(event.data, RestoreOrdered | RestoreCompleted | RestoreFailed)
    return event.data.request.request_id


def test_a_request_that_is_cancelled_at_any_step_frees_its_runner_within_seconds_and_is_told_no_more(
    site: Site,
) -> None:
    bench = site.begin(ALL_STEPS)
    for step in STEPS:
        (bench.folder / "silent-at").write_text(step)
        order = bench.order(restore_key=uuid4().hex)
        request, launched = request_of(order), len(bench.launcher.started)
        site.bus.publish([order])

        wait_for(partial(site.is_at, step, request))
        begun = time.monotonic()
        word = RequestCancelled(request_id=request, mous_uid=MOUS, by="vera")
        site.bus.publish([Event.first(word, source="/test")])
        wait_for(lambda: bench.left == [])
        assert time.monotonic() - begun < 5
        ends = [casa.wait(0) for casa in bench.launcher.started[launched:]]
        assert ends == [-signal.SIGKILL] or (step == "inputs" and ends == [])
    (bench.folder / "silent-at").unlink()
    last = bench.order()
    site.bus.publish([last])  # the runner takes one at a time: it is done with all before
    wait_for(lambda: site.heard(RestoreCompleted))
    [completed] = site.heard(RestoreCompleted)
    assert request_of(completed) == request_of(last)
    assert site.heard(RestoreFailed) == []


def test_a_casa_that_hangs_is_ended_and_its_block_told_as_failed(site: Site) -> None:
    bench = site.begin(HANG, hang_limit=0.5)
    site.bus.publish([bench.order()])
    wait_for(lambda: site.heard(RestoreFailed) or site.heard(RestoreCompleted))
    [failed] = [event.data for event in site.heard(RestoreFailed)]
    assert isinstance(failed, RestoreFailed)
    assert failed.failure.reason is ReasonCode.CASA_HUNG
    assert bench.launcher.started[0].wait(0) == -signal.SIGKILL
    wait_for(lambda: site.bus.depths([NAME])[0].ready == 0)


def test_a_block_that_is_ordered_three_times_at_once_is_restored_once_and_told_thrice(site: Site) -> None:
    benches = [site.begin("time.sleep(1)\n") for _ in range(3)]
    orders = [benches[0].order() for _ in range(3)]
    site.bus.publish(orders)
    wait_for(lambda: len(site.heard(RestoreCompleted)) == 3 or site.heard(RestoreFailed))
    outcomes = site.heard(RestoreCompleted)
    assert {request_of(outcome) for outcome in outcomes} == {request_of(order) for order in orders}
    blocks = [outcome.data.block for outcome in outcomes if isinstance(outcome.data, RestoreCompleted)]
    assert sorted(block.reused for block in blocks) == [False, True, True]
    assert len({block.tar for block in blocks}) == 1
    assert sum(len(bench.launcher.started) for bench in benches) == 1


@pytest.mark.parametrize(
    ("megabytes", "told"), [(1200, RestoreCompleted), (2500, RestoreFailed)], ids=["enough", "too little"]
)
def test_who_lacks_memory_gets_twice_as_much_once(
    site: Site, megabytes: int, told: type[RestoreCompleted] | type[RestoreFailed]
) -> None:
    bench = site.begin(f"held = bytearray({megabytes} * 2**20)\n", memory=2**30)
    site.bus.publish([bench.order()])
    wait_for(lambda: site.heard(RestoreCompleted) + site.heard(RestoreFailed))
    [outcome] = [event.data for event in site.heard(told)]
    assert [needs.memory for needs in bench.launcher.needs] == [None, 2**31]
    if isinstance(outcome, RestoreFailed):
        assert outcome.failure.reason is ReasonCode.CASA_OUT_OF_MEMORY

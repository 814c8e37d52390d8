"""Measure how restores spread over replicas of the casa-runner: 64 jobs of 2 seconds over RabbitMQ.

Each replica is a process of its own with the service as it runs everywhere: broker, store,
claims, verification, tar. Only CASA is a stand-in that waits 2 seconds and writes what a restore has
to leave. The efficiency is the time that the jobs would take without any cost, over the time from the
first order to the last outcome, once each replica has done one. Then real CASA restores blocks of 140 MB
with 1 and 2 replicas; ``--replicas`` without a number leaves it at that.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from threading import Condition
from uuid import UUID, uuid4

from pydantic import SecretStr

from contracts.envelope import Event
from contracts.flow import QUEUES
from contracts.identifiers import ExecBlockUid, MousUid, SessionName
from contracts.messages import RestoreCompleted, RestoreFailed
from observatory.blocks import BlockSize, BlockSpec, MadeBlock, ensure_blocks
from observatory.products import write_products
from shared.bus.rabbitmq import RabbitBus
from shared.bus.settings import RabbitSettings
from shared.objects.directory import DirectoryStore
from tests.benchmarks.report import Figure, close
from tests.support.casa_orders import order_restore
from tests.support.casa_standin import order_tiny_restore
from tests.support.rabbitmq import RabbitServer

JOBS = 64
SECONDS = 2.0
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
REPLICAS = (1, 2, 4, 8, 16)
EB, MOUS = ExecBlockUid("uid://A002/Xc7111c/X3979"), MousUid("uid://A001/X1284/X265f")
ROOT = Path(__file__).parents[2]


class Fleet:
    """Replicas of the casa-runner on one broker and one store.

    Parameters
    ----------
    replicas
        How many.
    kind
        ``standin`` or ``casa``.
    """

    def __init__(self, *, url: str, folder: Path, replicas: int, kind: str) -> None:
        self.prefix = f"bench-{uuid4().hex[:8]}"
        command = [sys.executable, "-m", "tests.benchmarks.scaling_replica", url, self.prefix, str(folder), kind]
        self._processes = [
            subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(replicas)
        ]
        for process in self._processes:
            assert process.stdout is not None
            if process.stdout.readline().strip() != "ready":
                raise SystemExit("a replica did not start")

    @property
    def cpu(self) -> float:
        """Seconds of CPU that the replicas took until now."""
        stats = [
            Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split() for process in self._processes
        ]
        return sum(int(stat[11]) + int(stat[12]) for stat in stats) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        """End all replicas."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait(30)


@dataclass(frozen=True)
class Cost:
    """What orders took.

    Attributes
    ----------
    wall
        Seconds from the first order to the last outcome.
    cpu
        Seconds of CPU that the replicas took for one order.
    busy
        Share of the machine's CPU time that was used meanwhile, by whomever.
    """

    wall: float
    cpu: float
    busy: float


def _machine() -> tuple[int, int]:
    """Tell the ticks of CPU time that this machine has had, and those that it was idle."""
    ticks = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return sum(ticks), ticks[3] + ticks[4]


class Ends:
    """Counts the restores that ended."""

    def __init__(self) -> None:
        self._ended: set[UUID] = set()
        self._failed: list[str] = []
        self._changed = Condition()

    def hear(self, event: Event) -> None:
        """Take note of an outcome."""
        with self._changed:
            if isinstance(event.data, RestoreFailed):
                self._failed.append(event.data.failure.detail)
            if isinstance(event.data, RestoreCompleted):
                self._ended.add(event.data.request.request_id)
            self._changed.notify_all()

    def wait_for(self, number: int) -> None:
        """Wait until so many ended well."""
        with self._changed:
            self._changed.wait_for(lambda: self._failed or len(self._ended) >= number, 600)
            if self._failed or len(self._ended) < number:
                raise SystemExit(f"{len(self._ended)} of {number} restores ended: {self._failed}")


def spread(url: str, folder: Path, replicas: int, orders: Sequence[Event], kind: str, *, warm_up: int = 0) -> Cost:
    """Let replicas do all orders; the first ones, with which replicas come to work, are not measured."""
    with ExitStack() as stack:
        fleet = stack.enter_context(closing(Fleet(url=url, folder=folder, replicas=replicas, kind=kind)))
        settings = RabbitSettings(url=SecretStr(url), prefix=fleet.prefix)
        bus = stack.enter_context(closing(RabbitBus(settings=settings)))
        bus.declare(QUEUES)
        ends = Ends()
        bus.listen(ends.hear, topics=(RestoreCompleted.topic, RestoreFailed.topic))
        bus.publish(orders[:warm_up])
        ends.wait_for(warm_up)
        begun, cpu, (all_before, idle_before) = time.monotonic(), fleet.cpu, _machine()
        bus.publish(orders[warm_up:])
        ends.wait_for(len(orders))
        wall, (all_after, idle_after) = time.monotonic() - begun, _machine()
        return Cost(
            wall=wall,
            cpu=(fleet.cpu - cpu) / (len(orders) - warm_up),
            busy=1 - (idle_after - idle_before) / (all_after - all_before),
        )


def standins(url: str, replicas: Sequence[int], jobs: int, rounds: int) -> list[Figure]:
    """Measure with stand-ins."""
    figures = []
    for number in replicas:
        took = []
        for _ in range(rounds):
            with tempfile.TemporaryDirectory(prefix="bench-scaling-", dir=MEMORY) as name:
                folder = Path(name)
                objects = DirectoryStore(folder / "store")
                orders = [order_tiny_restore(objects, folder, restore_key=uuid4().hex) for _ in range(number + jobs)]
                took.append(spread(url, folder, number, orders, "standin", warm_up=number))
        ideal, wall = SECONDS * -(-jobs // number), median(cost.wall for cost in took)
        cpu = 1000 * median(cost.cpu for cost in took)
        busy = 100 * median(cost.busy for cost in took)
        print(
            f"{number} replicas: {wall:.2f} s, without cost {ideal:.0f} s; {cpu:.0f} ms of CPU for a job, "
            f"machine {busy:.0f} % busy"
        )
        figures.append(Figure(f"efficiency with {number} replicas", ideal / wall, 0.95))
    return figures


def real(url: str, rounds: int) -> None:
    """Measure real CASA with one replica and with two; four restores of one block of 140 MB."""
    spec = BlockSpec(eb_uid=EB, mous_uid=MOUS, session=SessionName("session_1"), size=BlockSize.MEDIUM)
    block = ensure_blocks([spec], cache=ROOT / ".cache" / "observatory", workers=1)[0]
    took: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(rounds):
        for number in took:
            with tempfile.TemporaryDirectory(prefix="bench-scaling-", dir=MEMORY) as name:
                took[number].append(spread(url, Path(name), number, _orders(block, Path(name)), "casa").wall)
    one, two = median(took[1]), median(took[2])
    print(
        f"real CASA, 4 restores of 140 MB: {one:.1f} s with one replica, {two:.1f} s with two, {one / two:.2f} times "
        f"as fast on {os.cpu_count()} cores"
    )


def _orders(block: MadeBlock, folder: Path) -> list[Event]:
    objects = DirectoryStore(folder / "store")
    products = write_products(MOUS, {SessionName("session_1"): [EB]}, [block], into=folder / "products")
    return [
        order_restore(
            objects,
            mous_uid=MOUS,
            eb_uid=EB,
            asdm=block.asdm,
            products=products.files,
            casa_version=block.facts.casa_version,
            restore_key=uuid4().hex,
        )
        for _ in range(4)
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicas", nargs="*", type=int, default=REPLICAS)
    parser.add_argument("--jobs", type=int, default=JOBS)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args(arguments)
    print(f"load {os.getloadavg()[0]:.2f}")
    with ExitStack() as stack:
        # The broker's disk is memory, as the store's: what is measured is not this machine's disk.
        disk = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-scaling-", dir=MEMORY)))
        url = stack.enter_context(RabbitServer(folder=disk)).url
        figures = standins(url, given.replicas, given.jobs, given.rounds)
        real(url, given.rounds)
    close(figures)


if __name__ == "__main__":
    main()

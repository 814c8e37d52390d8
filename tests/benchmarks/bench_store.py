"""Upload and download through the object store, with its digests on, against the minio client used by hand.

The yardstick is tried with several part sizes (upload) and chunk sizes (download); the
one with the best median counts. Everything runs in turn against one server: SeaweedFS of
its own, or the one that ``S3_URL``, ``S3_ACCESS_KEY``, ``S3_SECRET_KEY`` and ``S3_CA_FILE`` name.

The minio client checks nothing that it downloads; a second figure compares with the
client and a SHA-256 by hand. The digest costs processor time. On machines of their own
server and client do not compete for it, so the server of our own gets one half of the
cores and the clients the other. What comes out when all share all cores is printed too,
with the processor seconds per gigabyte of either side: on two cores these alone decide it.

A virtual core that waits is halted, and waking it up takes the hypervisor as long as tens of
kilobytes take to come. Who only reads waits often and then finds much at once, which spares the server
work; who hashes hardly ever waits. What comes out when the clients' cores never halt is printed too.
"""

import argparse
import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from statistics import median
from typing import BinaryIO, cast

from contracts.messages.parts import ObjectRef
from shared.objects import S3Settings
from shared.objects.s3 import S3Store
from shared.objects.s3_client import S3Client
from tests.benchmarks.report import Figure, close, in_turn, ratio
from tests.support.s3 import S3Server, settings_named

MIB = 1024 * 1024
PARTS = (8 * MIB, 16 * MIB, 32 * MIB)
CHUNKS = (MIB // 4, MIB, 4 * MIB)
HASHED = "by hand 1024 KiB and SHA-256"
ASK = 0.9
BUCKET = "benchmark"
ALL_CORES = os.sched_getaffinity(0)
SPIN = """
import os, sys
parent = os.getppid()
os.sched_setaffinity(0, [int(sys.argv[1])])
os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
while os.getppid() == parent:
    pass
"""


class Source:
    """Bytes to upload, made as they are read, for either client."""

    def __init__(self, size: int) -> None:
        self._block = os.urandom(MIB)
        self._left = size

    def read(self, size: int = -1) -> bytes:
        """Give the next bytes, as the minio client asks for them."""
        wanted = self._left if size < 0 else min(size, self._left)
        self._left -= wanted
        return (self._block * (wanted // MIB + 1))[:wanted]

    def chunks(self) -> Iterator[bytes]:
        """Give all bytes, as the store takes them."""
        while chunk := self.read(MIB):
            yield chunk


class Bench:
    """Both clients on one bucket."""

    def __init__(self, settings: S3Settings, size: int, server: S3Server | None) -> None:
        self.size = size
        self._server = server
        self._cpu: dict[str, list[tuple[float, float]]] = {}
        self.store = S3Store(settings)
        self.client = S3Client(settings, connect_timeout=5, read_timeout=120, retries=0)

    def close(self) -> None:
        for item in list(self.client.list_objects(BUCKET, recursive=True)):
            self.client.remove_object(BUCKET, item.object_name or "")
        for item in list(self.client.list_objects(BUCKET, prefix=".", recursive=True)):
            self.client.remove_object(BUCKET, item.object_name or "")
        self.store.close()
        self.client.close()

    def speed(self, name: str, work: Callable[[], int]) -> float:
        """Give megabytes a second."""
        client, server, begin = time.process_time(), self._server_seconds(), time.perf_counter()
        done = work()
        seconds = time.perf_counter() - begin
        assert done == self.size
        used = (time.process_time() - client, self._server_seconds() - server)
        self._cpu.setdefault(name, []).append(used)
        return self.size / 1e6 / seconds

    def cost(self, name: str) -> str:
        """Say what a way took of the processors, in the middle."""
        client, server = (median(side) * 1e9 / self.size for side in zip(*self._cpu.pop(name), strict=True))
        return f"{client:.2f} + {server:.2f} s/GB" if self._server else f"{client:.2f} s/GB"

    def _server_seconds(self) -> float:
        return self._server.cpu_seconds() if self._server else 0.0

    def share_cores(self, *, apart: bool) -> None:
        """Give server and clients cores of their own, if there are two and the server is ours."""
        cores = sorted(ALL_CORES)
        half = len(cores) // 2 if apart else 0
        if self._server:
            self._server.keep_to(cores[:half] or cores)
            os.sched_setaffinity(0, cores[half:])

    @contextmanager
    def awake(self) -> Iterator[None]:
        """Keep the clients' cores from being halted, by processes that run when nobody else wants to."""
        spinners = [subprocess.Popen([sys.executable, "-c", SPIN, str(core)]) for core in os.sched_getaffinity(0)]
        try:
            yield
        finally:
            for spinner in spinners:
                spinner.kill()
                spinner.wait()

    def upload(self) -> int:
        return self.store.put("ours", Source(self.size).chunks()).size

    def upload_by_hand(self, part: int) -> int:
        source = cast(BinaryIO, Source(self.size))  # the client only calls read
        self.client.put_object(BUCKET, "by-hand", source, self.size, part_size=part, num_parallel_uploads=3)
        return self.size

    def download(self, ref: ObjectRef) -> int:
        with self.store.open(ref) as chunks:
            return sum(map(len, chunks))

    def download_by_hand(self, key: str, chunk: int, see: Callable[[bytes], object] = len) -> int:
        response, done = self.client.get_object(BUCKET, key), 0
        try:
            for data in response.stream(chunk):
                see(data)
                done += len(data)
            return done
        finally:
            response.close()
            response.release_conn()


def uploads(bench: Bench, rounds: int) -> list[Figure]:
    """Measure uploads."""
    ways: dict[str, Callable[[], int]] = {"store": bench.upload}
    for part in PARTS:
        ways[f"by hand {part // MIB} MiB"] = partial(bench.upload_by_hand, part)
    values = measured(bench, ways, rounds)
    return [against_best("upload", values, list(ways)[1:])]


def downloads(bench: Bench, rounds: int) -> list[Figure]:
    """Measure downloads of one object."""
    ref = bench.store.put("download", Source(bench.size).chunks())
    ways: dict[str, Callable[[], int]] = {
        "store": partial(bench.download, ref),
        HASHED: lambda: bench.download_by_hand(ref.key, MIB, hashlib.sha256().update),
    }
    for chunk in CHUNKS:
        ways[f"by hand {chunk // 1024} KiB"] = partial(bench.download_by_hand, ref.key, chunk)
    values = measured(bench, ways, rounds)
    return [against_best("download", values, list(ways)[2:]), against_best("download", values, [HASHED])]


def measured(bench: Bench, ways: Mapping[str, Callable[[], int]], rounds: int) -> dict[str, list[float]]:
    """Measure ways in turn, and say what they take of the processors: client + server."""
    values = in_turn({name: partial(bench.speed, name, way) for name, way in ways.items()}, rounds)
    print("; ".join(f"{name} {bench.cost(name)}" for name in ways))
    return values


def against_best(what: str, values: dict[str, list[float]], hands: list[str]) -> Figure:
    """Compare with the yardstick's best way."""
    best = max(hands, key=lambda name: median(values[name]))
    medians = {name: f"{median(values[name]):.0f}" for name in ("store", *hands)}
    print(f"{what}, MB/s: " + ", ".join(f"{name} {value}" for name, value in medians.items()))
    return Figure(f"{what} of the minio client's ({best})", ratio(values["store"], values[best]), ASK)


def tell(how: str, figures: Iterable[Figure]) -> None:
    """Print figures of which nothing is asked."""
    print(f"{how}: " + "; ".join(f"{each.what} {each.value:.3g}" for each in figures))


def main() -> None:
    """Measure, print, and exit with 1 if an ask is not met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mib", type=int, default=256, help="size of the object")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    with ExitStack() as stack:
        server = None
        if (settings := settings_named(bucket=BUCKET)) is None:
            server = stack.enter_context(S3Server())
            settings = server.settings(bucket=BUCKET)
        bench = stack.enter_context(closing(Bench(settings, options.mib * MIB, server)))
        bench.store.put_bytes("warm", b"x")
        bench.share_cores(apart=True)
        figures = [*downloads(bench, options.rounds), *uploads(bench, options.rounds)]
        if server is not None:
            with bench.awake():
                tell("the clients' cores never halted", downloads(bench, options.rounds))
            bench.share_cores(apart=False)
            tell("all on the same cores", downloads(bench, options.rounds))
    print(f"load {os.getloadavg()[1]:.1f} on {os.cpu_count()} cores, this benchmark's own among it")
    close(figures)


if __name__ == "__main__":
    main()

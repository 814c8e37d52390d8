"""Upload and download through the object store, with its digests on, against the minio client used by hand.

The yardstick is tried with several part sizes (upload) and chunk sizes (download); the
one with the best median counts. Everything runs in turn against one server: SeaweedFS of
its own, or the one that ``S3_URL``, ``S3_ACCESS_KEY`` and ``S3_SECRET_KEY`` name.

The minio client checks nothing that it downloads; a second figure compares with the
client and a SHA-256 by hand. Where server and client share few cores, or others use them,
the digest's CPU time is what the first figure lacks; so the load is printed.
"""

import argparse
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import partial
from statistics import median
from typing import BinaryIO, cast

from pydantic import SecretStr

from contracts.messages.parts import ObjectRef
from shared.objects import S3Settings
from shared.objects.s3 import S3Store
from shared.objects.s3_client import S3Client
from tests.benchmarks.report import Figure, close, in_turn, ratio
from tests.support.s3 import S3Server

MIB = 1024 * 1024
PARTS = (8 * MIB, 16 * MIB, 32 * MIB)
CHUNKS = (MIB // 4, MIB, 4 * MIB)
HASHED = "by hand 1024 KiB and SHA-256"
ASK = 0.9
BUCKET = "benchmark"


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

    def __init__(self, settings: S3Settings, size: int) -> None:
        self.size = size
        self.store = S3Store(settings)
        self.client = S3Client(settings, connect_timeout=5, read_timeout=120, retries=0)

    def close(self) -> None:
        for item in list(self.client.list_objects(BUCKET, recursive=True)):
            self.client.remove_object(BUCKET, item.object_name or "")
        for item in list(self.client.list_objects(BUCKET, prefix=".", recursive=True)):
            self.client.remove_object(BUCKET, item.object_name or "")
        self.store.close()
        self.client.close()

    def speed(self, work: Callable[[], int]) -> float:
        """Give megabytes a second."""
        begin = time.perf_counter()
        done = work()
        seconds = time.perf_counter() - begin
        assert done == self.size
        return self.size / 1e6 / seconds

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
    runs = {"store": partial(bench.speed, bench.upload)}
    for part in PARTS:
        runs[f"by hand {part // MIB} MiB"] = partial(bench.speed, partial(bench.upload_by_hand, part))
    values = in_turn(runs, rounds)
    return [against_best("upload", values, list(runs)[1:])]


def downloads(bench: Bench, rounds: int) -> list[Figure]:
    """Measure downloads of one object."""
    ref = bench.store.put("download", Source(bench.size).chunks())
    runs = {
        "store": partial(bench.speed, partial(bench.download, ref)),
        HASHED: partial(bench.speed, lambda: bench.download_by_hand(ref.key, MIB, hashlib.sha256().update)),
    }
    for chunk in CHUNKS:
        runs[f"by hand {chunk // 1024} KiB"] = partial(bench.speed, partial(bench.download_by_hand, ref.key, chunk))
    values = in_turn(runs, rounds)
    return [against_best("download", values, list(runs)[2:]), against_best("download", values, [HASHED])]


def against_best(what: str, values: dict[str, list[float]], hands: list[str]) -> Figure:
    """Compare with the yardstick's best way."""
    best = max(hands, key=lambda name: median(values[name]))
    medians = {name: f"{median(values[name]):.0f}" for name in ("store", *hands)}
    print(f"{what}, MB/s: " + ", ".join(f"{name} {value}" for name, value in medians.items()))
    return Figure(f"{what} of the minio client's ({best})", ratio(values["store"], values[best]), ASK)


def settings_of(stack: ExitStack) -> S3Settings:
    """Name the server: one of our own, unless the environment names another."""
    if not (url := os.environ.get("S3_URL")):
        return stack.enter_context(S3Server()).settings(bucket=BUCKET)
    return S3Settings(
        endpoint=url,
        access_key=os.environ["S3_ACCESS_KEY"],
        secret_key=SecretStr(os.environ["S3_SECRET_KEY"]),
        bucket=BUCKET,
        create_bucket=True,
    )


def main() -> None:
    """Measure, print, and exit with 1 if an ask is not met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mib", type=int, default=512, help="size of the object")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    with ExitStack() as stack:
        bench = stack.enter_context(closing(Bench(settings_of(stack), options.mib * MIB)))
        bench.store.put_bytes("warm", b"x")
        figures = [*downloads(bench, options.rounds), *uploads(bench, options.rounds)]
    print(f"load {os.getloadavg()[1]:.1f} on {os.cpu_count()} cores, this benchmark's own among it")
    close(figures)


if __name__ == "__main__":
    main()

"""Measure the fetch against curl: one large file, some of medium size, many small ones, in one run.

The files lie on an NGAS server of our own, in a process of its own; if NGAS_URL names another
(``http://host:port``), that is measured too, with those of its files that ``NGAS_FILES`` lists
as ``file_id:version:size:crc32``, separated by blanks.

Ours runs in a process of its own and does what `alma-restore fetch` does: size, CRC-32 and
SHA-256 are checked, each file appears whole. Its time is taken from the first request to
the last sync, without the start of Python; curl's with its start. All files are synced at the
end, curl's by ``sync``; they lie in memory if the system has ``/dev/shm``, since a disk would be
measured instead of us. Everything runs in turn, and ratios are medians of the rounds.

To S3 ours is compared with what brings files there by curl: down to files, then up with a
signature and without any check. Both share the cores with the S3 server and the NGAS server.
The CPU seconds of ours (with the start of Python) and of curl tell what bounds them.
"""

import argparse
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from urllib.parse import urlencode, urlsplit

from observatory.ngas import Archive
from shared.objects import S3Settings
from shared.objects.s3 import S3Store
from tests.benchmarks.fetch_worker import Outcome
from tests.benchmarks.report import Figure, close, in_turn, ratio
from tests.support.s3 import S3Server

MIB = 1 << 20
PEAK_ASK = 300.0
LOADS = {
    "one file of 1 GiB": (1, 1024 * MIB, 0.95),
    "200 files of 5 MB": (200, 5_000_000, 1.5),
    "2,000 files of 100 kB": (2000, 100_000, 1.5),
}
"""Count, size in bytes, and the asked ratio to one curl that gets file after file."""


class Load:
    """Files on a server, as a location report tells of them."""

    def __init__(self, *, name: str, report: Path, ask: float, work: Path) -> None:
        self.name = name
        self.ask = ask
        self.report = report
        self._work = work
        self.files = json.loads(report.read_text())["files"]
        self.size = int(sum(file["size"] for file in self.files))
        self.peak = 0.0
        self.cpu: dict[str, list[float]] = {}

    def runs(self, s3: S3Settings | None) -> dict[str, Callable[[], float]]:
        """The ways that are compared; each gives MB a second."""
        ways: dict[str, Callable[[], float]] = {"curl": partial(self._curl), "ours to disk": partial(self._ours, None)}
        if len(self.files) > 1:
            ways["curl --parallel"] = partial(self._curl, "--parallel", "--parallel-max", "16")
        if s3 is not None:
            ways["curl to S3"] = partial(self._curl, s3=s3)
            ways["ours to S3"] = partial(self._ours, s3)
        return {name: partial(self._counting_cpu, name, way) for name, way in ways.items()}

    def _counting_cpu(self, name: str, way: Callable[[], float]) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        value = way()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        self.cpu.setdefault(name, []).append(spent)
        return value

    def _curl(self, *options: str, s3: S3Settings | None = None) -> float:
        with self._empty_directory() as out:
            paths = [str(out / str(number)) for number in range(len(self.files))]
            config = self._work / "curl.config"
            config.write_text(
                "".join(
                    f'url = "{_url(file)}"\noutput = "{path}"\n' for file, path in zip(self.files, paths, strict=True)
                )
            )
            began = time.perf_counter()
            subprocess.run(
                ["curl", "--silent", "--no-progress-meter", "--fail", *options, "--config", config], check=True
            )
            if s3 is None:
                subprocess.run(["sync", *paths, out], check=True)
            else:
                self._upload(paths, s3)
            took = time.perf_counter() - began
            assert sum(Path(path).stat().st_size for path in paths) == self.size
        return self.size / took / 1e6

    def _upload(self, paths: Sequence[str], s3: S3Settings) -> None:
        config = self._work / "upload.config"
        config.touch(mode=0o600)
        config.write_text(
            "next\n".join(
                f'url = "{s3.endpoint}/{s3.bucket}/curl/{time.time_ns()}/{number}"\nupload-file = "{path}"\n'
                f'aws-sigv4 = "aws:amz:{s3.region}:s3"\nuser = "{s3.access_key}:{s3.secret_key.get_secret_value()}"\n'
                'header = "x-amz-content-sha256: UNSIGNED-PAYLOAD"\nfail\nsilent\n'
                for number, path in enumerate(paths)
            )
        )
        subprocess.run(["curl", "--config", config], check=True, stdout=subprocess.DEVNULL)

    def _ours(self, s3: S3Settings | None) -> float:
        with self._empty_directory() as out:
            command = [sys.executable, "-m", "tests.benchmarks.fetch_worker", str(self.report), str(out)]
            secret = s3.model_dump() | {"secret_key": s3.secret_key.get_secret_value()} if s3 else None
            done = subprocess.run(command, input=json.dumps(secret), capture_output=True, text=True, check=True)
            outcome = Outcome(**json.loads(done.stdout))
            self.peak = max(self.peak, outcome.peak_mb)
        return float(self.size / outcome.seconds / 1e6)

    @contextmanager
    def _empty_directory(self) -> Iterator[Path]:
        out = self._work / "out"
        out.mkdir()
        try:
            yield out
        finally:
            shutil.rmtree(out)


def _url(file: dict[str, object]) -> str:
    server = file["server"]
    assert isinstance(server, dict)
    return f"http://{server['server']}/RETRIEVE?" + urlencode(
        {"file_id": file["ngas_file_id"], "file_version": file["version"]}
    )


@contextmanager
def own_server(archive: Path) -> Iterator[str]:
    """Run an NGAS server of our own, and give its address."""
    command = [sys.executable, "-m", "observatory.ngas", "--root", str(archive), "--processes", "2"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        process.terminate()
        process.wait(30)


def own_loads(work: Path, scale: float) -> Iterator[Load]:
    """Make the files of each load, archive them, and report where they are while their server runs."""
    for name, (count, size, ask) in LOADS.items():
        folder = work / f"{count}x{size}"
        folder.mkdir()
        count, size = (max(2, int(count * scale)), size) if count > 1 else (1, int(size * scale))
        archive, noise = Archive(folder / "archive"), random.Random(1).randbytes(MIB)
        stored = []
        for number in range(count):
            path = folder / "file"
            with path.open("wb") as file:
                file.write(number.to_bytes(8, "big"))
                for start in range(8, size, MIB):
                    file.write(noise[: min(MIB, size - start)])
            stored.append(archive.archive(path, f"bench/{number}"))
            path.unlink()
        with own_server(archive.root) as address:
            entries = [
                _entry(str(n), file.file_id, file.version, file.size, file.checksum, address)
                for n, file in enumerate(stored)
            ]
            yield _load(name, entries, ask, folder)
        shutil.rmtree(folder)


def other_files() -> tuple[str, Sequence[str]]:
    """The server that the environment names, if any, and which of its files are fetched."""
    address, listed = os.environ.get("NGAS_URL", ""), os.environ.get("NGAS_FILES", "").split()
    if bool(address) != bool(listed):
        raise SystemExit("NGAS_URL and NGAS_FILES go together: a server, and which of its files are fetched")
    return address, listed


def other_loads(work: Path, address: str, listed: Sequence[str]) -> Iterator[Load]:
    """Files of another server, if any."""
    if not listed:
        return
    entries = []
    for number, text in enumerate(listed):
        file_id, version, size, crc32 = text.rsplit(":", 3)
        entries.append(_entry(str(number), file_id, int(version), int(size), crc32, urlsplit(address).netloc))
    (work / "other").mkdir()
    yield _load(f"{len(entries)} files of {address}", entries, 0.95 if len(entries) == 1 else 1.5, work / "other")


def _entry(path: str, file_id: str, version: int, size: int, crc32: str, server: str) -> dict[str, object]:
    return {
        "ngas_file_id": file_id,
        "relative_path": path,
        "checksum": crc32,
        "checksum_type": "ngamsGenCrc32",
        "version": version,
        "size": size,
        "server": {"server": server},
    }


def _load(name: str, entries: Sequence[object], ask: float, folder: Path) -> Load:
    report = folder / "report.json"
    report.write_text(json.dumps({"files": entries}))
    return Load(name=name, report=report, ask=ask, work=folder)


def main() -> None:
    """Measure, print the table and the closing lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="below 1 for a shorter run; asks are for 1")
    parser.add_argument("--no-s3", action="store_true", help="leave S3 out")
    parser.add_argument("--directory", type=Path, default=_memory(), help="where all files but the S3 server's lie")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that servers and files are cleaned up
    figures: list[Figure] = []
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-fetch-", dir=options.directory)))
        print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, files in {work.parent}")
        for load in own_loads_and_others(work, options.scale):
            with s3_server(wanted=not options.no_s3) as s3:
                figures += measure(load, s3, options.rounds)
    close(figures)


def _memory() -> Path | None:
    shared = Path("/dev/shm")
    return shared if shared.is_dir() else None


@contextmanager
def s3_server(*, wanted: bool) -> Iterator[S3Settings | None]:
    """Run an S3 server with its bucket while one load is measured, so that what is stored does not add up."""
    if not wanted:
        yield None
        return
    with S3Server() as server:
        settings = server.settings()
        S3Store(settings).put_bytes("begun", b"")
        yield settings


def own_loads_and_others(work: Path, scale: float) -> Iterator[Load]:
    """All loads, one after the other: each has its server only while it is measured."""
    address, listed = other_files()
    yield from own_loads(work, scale)
    yield from other_loads(work, address, listed)


def measure(load: Load, s3: S3Settings | None, rounds: int) -> list[Figure]:
    """Measure one load, print its part of the table, and give its figures."""
    print(f"\n{load.name}, {load.size / 1e6:.0f} MB (MB/s)")
    speeds = in_turn(load.runs(s3), rounds)
    for way, values in speeds.items():
        against = " ".join(f"{ratio(values, speeds[name]):9.2f} x {name}" for name in speeds if name.startswith("curl"))
        print(f"  {way:16} {median(values):7.0f} MB/s {median(load.cpu[way]):6.2f} CPU s {against}")
    to_s3 = [("to S3 against curl to S3", "ours to S3", "curl to S3")] if s3 is not None else []
    return [
        *(
            Figure(f"{load.name}, {what}", ratio(speeds[ours], speeds[curls]), load.ask)
            for what, ours, curls in [("to disk against curl", "ours to disk", "curl"), *to_s3]
        ),
        Figure(f"{load.name}, peak memory", load.peak, PEAK_ASK, at_most=True, unit=" MB"),
    ]


if __name__ == "__main__":
    main()

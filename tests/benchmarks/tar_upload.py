"""The tar of a MeasurementSet, streamed into a real S3 server, as `bench_restore` measures it."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from statistics import median

from services.casa_runner.tar_stream import tar_chunks
from shared.objects.s3 import S3Store
from tests.benchmarks.report import Figure, in_turn, ratio
from tests.support.s3 import S3Server

MIB = 2**20


def tar_and_upload(ms: Path, rounds: int, folder: Path) -> list[Figure]:
    """Measure the streamed tar against reading the MeasurementSet and against a plain upload."""
    plain = folder / "plain.tar"
    with plain.open("wb") as file:
        file.writelines(tar_chunks(ms, mtime=0))
    size = plain.stat().st_size / 1e6
    with S3Server() as server, closing(S3Store(server.settings(bucket="bench"))) as store:

        def rate(work: Callable[[], object]) -> float:
            begun = time.monotonic()
            work()
            return size / (time.monotonic() - begun)

        values = in_turn(
            {
                "read": lambda: rate(lambda: _drain(ms)),
                "plain upload": lambda: rate(lambda: store.put("plain.tar", _pieces(plain))),
                "tar and upload": lambda: rate(lambda: store.put("streamed.tar", tar_chunks(ms, mtime=0))),
            },
            rounds,
        )
        peak = _peak_of_upload(ms, server)
    plain.unlink()
    slower = min(("read", "plain upload"), key=lambda name: median(values[name]))
    return [
        Figure(f"tar and upload of {size:.0f} MB / {slower}", ratio(values["tar and upload"], values[slower]), 0.9),
        Figure("tar and upload, peak memory", peak, 200, at_most=True, unit=" MB"),
    ]


def _drain(ms: Path) -> None:
    for path in sorted(ms.rglob("*")):
        if path.is_file():
            for _ in _pieces(path):
                pass


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(MIB):
            yield piece


def _peak_of_upload(ms: Path, server: S3Server) -> float:
    """Upload in a process of its own and tell its largest resident size, MB."""
    code = (
        "import re, sys, json, pathlib\n"
        "from shared.objects.s3 import S3Store\nfrom shared.objects.settings import S3Settings\n"
        "from services.casa_runner.tar_stream import tar_chunks\n"
        "store = S3Store(S3Settings.model_validate(json.loads(sys.argv[1])))\n"
        "store.put('peak.tar', tar_chunks(pathlib.Path(sys.argv[2]), mtime=0))\n"
        "print(int(re.search(r'VmHWM:\\s+(\\d+)', pathlib.Path('/proc/self/status').read_text())[1]) * 1024 / 1e6)\n"
    )
    settings = server.settings(bucket="bench")
    plain = settings.model_dump(mode="json") | {
        name: value.get_secret_value() for name, value in settings if hasattr(value, "get_secret_value")
    }
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(plain), ms], capture_output=True, text=True, check=True
    )
    return float(done.stdout.split()[-1])

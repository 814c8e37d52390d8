"""One measured fetch in a process of its own: ``python -m tests.benchmarks.fetch_worker REPORT OUT`` < S3 settings."""

import json
import resource
import sys
import time
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import structlog

from services.ngas_fetcher.adapters import client_of, fetcher_of
from services.ngas_fetcher.holding import fetch_job
from services.ngas_fetcher.local import LocalFetch, files_as_they_are, read_location_file
from services.ngas_fetcher.location import ArchiveFile
from services.ngas_fetcher.parallel import run_all
from services.ngas_fetcher.pool import TransferPool
from services.ngas_fetcher.progress import Progress
from services.ngas_fetcher.settings import LocalFetchSettings
from services.ngas_fetcher.stop import Stop
from shared.objects import S3Settings
from shared.objects.s3 import S3Store


@dataclass(frozen=True)
class Outcome:
    """How long it took, in seconds, and how much memory the process ever had, in MB."""

    seconds: float
    peak_mb: float


def fetch_to_disk(settings: LocalFetchSettings, files: tuple[ArchiveFile, ...], out: Path) -> float:
    """Do what the command for people does."""
    with LocalFetch(settings=settings, output_dir=out, force=False, sdm_only=False) as local:
        began = time.perf_counter()
        local.fetch(files_as_they_are("", files, sdm_only=False), progress=Progress(), tick=lambda: None)
        return time.perf_counter() - began


def fetch_to_s3(settings: LocalFetchSettings, files: tuple[ArchiveFile, ...], store: S3Store) -> float:
    """Do what the service does with the files of an execution block."""
    client = client_of(settings)
    fetcher, stop = fetcher_of(settings, client, store), Stop()
    pool = TransferPool(threads=settings.transfers, hosts=client.hosts, memory=settings.memory)
    with pool.group() as group:
        began = time.perf_counter()
        jobs = [
            fetch_job(
                file,
                partial(fetcher.fetch, file, f"bench/{time.time_ns()}/{file.path}", stop=stop, on_position=_ignore),
            )
            for file in files
        ]
        run_all(group, jobs, stop=stop, interval=0.2, tick=lambda: None)
        took = time.perf_counter() - began
    pool.close()
    return took


def _ignore(_position: int) -> None:
    """Nobody watches."""


def main() -> None:
    """Fetch the files of a report and print the outcome."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("error"))
    report, out, s3 = Path(sys.argv[1]), Path(sys.argv[2]), json.load(sys.stdin)
    settings = LocalFetchSettings(location_directory=report.parent)
    files = read_location_file(report, settings)
    if s3 is None:
        seconds = fetch_to_disk(settings, files, out)
    else:
        seconds = fetch_to_s3(settings, files, S3Store(S3Settings(**s3)))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    print(json.dumps(asdict(Outcome(seconds, peak))))


if __name__ == "__main__":
    main()

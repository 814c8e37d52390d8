"""Decisions a second, the time to an answer over RabbitMQ, and the pace of the updater, with 100,000 MOUSs on SQLite.

Decisions go through the whole handler in one process, with its records in an object store
in memory, since in a deployment that is another machine's work, and with them on this disk,
where the four syncs of a record are most of what is measured. The yardstick is the statements
alone, run by hand on the same file. Answers are timed from the publishing of
``request.submitted`` until ``request.accepted`` or ``request.refused`` is heard, at an even
10 requests a second, with the service in a process of its own and an S3 server; the yardstick
is the time until the request itself is heard. The updater's full passes and quick refreshes are made in turn.
"""

import argparse
import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack, closing
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from statistics import median, quantiles
from threading import Condition
from uuid import UUID

import structlog
from pydantic import SecretStr

from contracts.envelope import Event
from contracts.flow import QUEUES
from contracts.messages import RequestAccepted, RequestRefused, RequestSubmitted
from observatory.metadata import sqlite_url
from services.entitlement_checker.service import EntitlementChecker, build
from services.entitlement_checker.settings import EntitlementCheckerSettings
from shared.archive_db import ArchiveDatabase, ArchiveDbSettings
from shared.bus.rabbitmq import RabbitBus
from shared.bus.settings import RabbitSettings
from shared.calibration_status import CalibrationStatusSettings, StatusRecord, Updater
from shared.calibration_status.archive import ArchiveStatus
from shared.entitlement import statements
from shared.not_restorable import NotRestorableYet
from shared.objects import DirectorySettings, ObjectStore, open_store
from tests.benchmarks.report import Figure, close, in_turn
from tests.support.big_archive import make_archive, request
from tests.support.delivery import RecordingDelivery
from tests.support.deployment import ServiceProcess
from tests.support.rabbitmq import RabbitServer
from tests.support.s3 import S3Server, store_environment

RATE = 10.0
PREFIX = "bench"
_IN_MEMORY = Path("/dev/shm")


class Decisions:
    """One process that decides, beside the statements alone."""

    def __init__(self, database: ArchiveDbSettings, objects: ObjectStore, *, mouss: int, batch: int) -> None:
        self._service: EntitlementChecker = build(
            objects=objects, settings=EntitlementCheckerSettings(database=database)
        )
        self._database = ArchiveDatabase(settings=database)
        self._numbers = (number * 7919 % mouss for number in count(1))
        self._batch = batch

    def close(self) -> None:
        self._service.close()
        self._database.close()

    def handled(self, threads: int) -> float:
        """Handle a batch of requests, and give the decisions a second."""
        events = [
            Event.first(RequestSubmitted(request=request(next(self._numbers))), source="/benchmark")
            for _ in range(self._batch)
        ]
        with ThreadPoolExecutor(threads) as pool:
            return self._pace(lambda: sum(map(len, pool.map(self._handle, events))))

    def by_hand(self) -> float:
        """Run the statements of as many decisions, and give the decisions a second."""
        return self._pace(lambda: sum(self._ask(next(self._numbers)) for _ in range(self._batch)))

    def _handle(self, event: Event) -> list[Event]:
        return self._service.handle(event, RecordingDelivery())

    def _ask(self, number: int) -> int:
        asked = request(number)
        delivery = f"{asked.project_code}_{asked.mous_uid.file_form}"
        project = {"project_code": asked.project_code}
        with self._database.reading() as connection:
            for statement, values in (
                (statements.mous(), {"mous_uid": asked.mous_uid}),
                (statements.release_dates("DELIVERY_NAME"), {"delivery": delivery}),
                (statements.accounts(by_account=False), {"email": asked.user_email}),
                (statements.principal_investigators(), project),
                (statements.delegees(None), project),
            ):
                connection.execute(statement, values).all()
        return 1

    def _pace(self, work: Callable[[], int]) -> float:
        begin = time.perf_counter()
        assert work() == self._batch
        return self._batch / (time.perf_counter() - begin)


class Answers:
    """Requests at an even pace over RabbitMQ, and when each was heard and answered."""

    def __init__(self, bus: RabbitBus, *, mouss: int) -> None:
        self._bus = bus
        self._numbers = (number * 104_729 % mouss for number in count(1))
        self._changed = Condition()
        self._heard: dict[UUID, float] = {}
        self._answered: dict[UUID, float] = {}
        bus.listen(self._note)

    def _note(self, event: Event) -> None:
        now = time.perf_counter()
        with self._changed:
            if isinstance(event.data, RequestSubmitted):
                self._heard[event.correlationid] = now
            elif isinstance(event.data, RequestAccepted | RequestRefused):
                self._answered[event.correlationid] = now
            self._changed.notify()

    def ask(self, number: int) -> tuple[list[float], list[float]]:
        """Publish so many requests and give the milliseconds until each was answered, and heard."""
        said: dict[UUID, float] = {}
        begin = time.perf_counter()
        for turn in range(number):
            time.sleep(max(0.0, begin + turn / RATE - time.perf_counter()))
            event = Event.first(RequestSubmitted(request=request(next(self._numbers))), source="/benchmark")
            said[event.correlationid] = time.perf_counter()
            self._bus.publish([event])
        with self._changed:
            whole = self._changed.wait_for(lambda: said.keys() <= self._answered.keys() & self._heard.keys(), 60)
        assert whole, f"{len(said.keys() - self._answered.keys())} of {number} requests were never answered"
        return (
            [1000 * (self._answered[key] - at) for key, at in said.items()],
            [1000 * (self._heard[key] - at) for key, at in said.items()],
        )


def decisions(database: ArchiveDbSettings, folder: Path, *, mouss: int, rounds: int, batch: int) -> Iterator[Figure]:
    """Measure decisions a second."""
    with ExitStack() as stack:
        memory = stack.enter_context(tempfile.TemporaryDirectory(dir=_IN_MEMORY if _IN_MEMORY.is_dir() else folder))
        quick, slow = (
            stack.enter_context(closing(open_store(DirectorySettings(root=place / "objects"))))
            for place in (Path(memory), folder)
        )
        bench = stack.enter_context(closing(Decisions(database, quick, mouss=mouss, batch=batch)))
        on_disk = stack.enter_context(closing(Decisions(database, slow, mouss=mouss, batch=batch)))
        bench.handled(1)
        runs: dict[str, Callable[[], float]] = {
            "one thread": lambda: bench.handled(1),
            "four threads": lambda: bench.handled(4),
            "four threads, records on disk": lambda: on_disk.handled(4),
            "statements alone": bench.by_hand,
        }
        values = {name: median(found) for name, found in in_turn(runs, rounds).items()}
    for name, value in values.items():
        print(f"decisions, {name}: {value:.4g}/s")
    best = max(values["one thread"], values["four threads"])
    yield Figure("decisions by one process", best, 200.0, unit="/s")
    yield Figure("decisions by one process, records on disk", values["four threads, records on disk"], 200.0, unit="/s")


def answers(database: ArchiveDbSettings, folder: Path, *, mouss: int, rounds: int) -> Iterator[Figure]:
    """Measure the time to an answer over RabbitMQ, with the service in its own process."""
    with ExitStack() as stack:
        rabbit = stack.enter_context(RabbitServer())
        s3 = stack.enter_context(S3Server()).settings(bucket="bench")
        bus = stack.enter_context(closing(RabbitBus(settings=RabbitSettings(url=SecretStr(rabbit.url), prefix=PREFIX))))
        bus.declare(QUEUES)
        environment = os.environ | {
            "ALMA_RESTORE_BUS__URL": rabbit.url,
            "ALMA_RESTORE_BUS__PREFIX": PREFIX,
            **store_environment(s3),
            "ALMA_RESTORE_ARCHIVE_DB_URL": database.url.get_secret_value(),
        }
        service = ServiceProcess("entitlement-checker", environment, folder / "service.log")
        stack.callback(service.kill)
        service.start()
        service.wait_until_ready()
        bench = Answers(bus, mouss=mouss)
        bench.ask(20)
        found = [bench.ask(100) for _ in range(rounds)]
    middle, slow = _spread(found, 0)
    heard, heard_slow = _spread(found, 1)
    print(f"until the request itself is heard: median {heard:.3g} ms, p99 {heard_slow:.3g} ms")
    yield Figure("time to an answer at 10 requests a second, median", middle, 100.0, at_most=True, unit=" ms")
    yield Figure("time to an answer at 10 requests a second, p99", slow, 100.0, at_most=True, unit=" ms")


def _spread(rounds: list[tuple[list[float], list[float]]], which: int) -> tuple[float, float]:
    """Give median and 99th percentile, each as the median of its rounds."""
    return (
        median(median(found[which]) for found in rounds),
        median(quantiles(found[which], n=100, method="inclusive")[98] for found in rounds),
    )


def updates(database: ArchiveDbSettings, folder: Path, *, mouss: int, rounds: int) -> Iterator[Figure]:
    """Measure full passes and quick refreshes, and what memory a full pass adds."""
    with ExitStack() as stack:
        updater = _updater(stack, database, folder)
        updater.refresh()  # the record is empty: this one writes all of it, and is the slowest
        runs: dict[str, Callable[[], float]] = {
            "full pass": lambda: updater.refresh(full=True).seconds,
            "quick refresh": lambda: updater.refresh().seconds,
        }
        values = {name: median(found) for name, found in in_turn(runs, rounds).items()}
        with closing(StatusRecord(folder / "status.db")) as record:
            assert record.count() == mouss
    yield Figure(f"full pass over {mouss} MOUSs", values["full pass"], 60.0, at_most=True, unit=" s")
    yield Figure("quick refresh", values["quick refresh"], 1.0, at_most=True, unit=" s")
    peaks = {number: _peak_of_a_first_pass(number) for number in (mouss // 10, mouss)}
    print(f"peak memory of a first full pass: {', '.join(f'{peak:.0f} MB of {n} MOUSs' for n, peak in peaks.items())}")
    yield Figure(
        "memory that ten times as many MOUSs add", peaks[mouss] - peaks[mouss // 10], 20.0, at_most=True, unit=" MB"
    )


def _peak_of_a_first_pass(mouss: int) -> float:
    """Let a process of its own record so many MOUSs, and tell the most memory that it had, in megabytes."""
    with tempfile.TemporaryDirectory(prefix="bench-decide-") as name:
        make_archive(Path(name) / "archive.db", mouss=mouss)
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
            return process.submit(_first_pass, Path(name)).result()


def _first_pass(folder: Path) -> float:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with ExitStack() as stack:
        _updater(stack, ArchiveDbSettings.model_validate({"url": sqlite_url(folder / "archive.db")}), folder).refresh()
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) / 1000 for line in status.splitlines() if line.startswith("VmHWM"))


def _updater(stack: ExitStack, database: ArchiveDbSettings, folder: Path) -> Updater:
    tables = stack.enter_context(closing(ArchiveDatabase(settings=database)))
    objects = stack.enter_context(closing(open_store(DirectorySettings(root=folder / "waiting"))))
    return Updater(
        archive=ArchiveStatus(database=tables, delivery_column="DELIVERY_NAME"),
        record=stack.enter_context(closing(StatusRecord(folder / "status.db"))),
        waiting=NotRestorableYet(objects=objects),
        settings=CalibrationStatusSettings(path=folder / "status.db"),
    )


def main() -> None:
    """Run all three and close with their figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mouss", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=500, help="decisions in a round")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with tempfile.TemporaryDirectory(prefix="bench-decide-") as name:
        folder = Path(name)
        make_archive(folder / "archive.db", mouss=options.mouss)
        print(f"made a database of {options.mouss} MOUSs")
        database = ArchiveDbSettings.model_validate({"url": sqlite_url(folder / "archive.db")})
        size = {"mouss": options.mouss, "rounds": options.rounds}
        figures = [
            *updates(database, folder, **size),
            *decisions(database, folder, batch=options.batch, **size),
            *answers(database, folder, **size),
        ]
    close(figures)


if __name__ == "__main__":
    main()

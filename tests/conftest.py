"""What all tests share: the cache of synthetic execution blocks, and the rule that CI skips nothing."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from structlog.stdlib import ProcessorFormatter

from services.casa_runner.job import CasaFiles
from tests.support.archive_tables import ArchiveTables
from tests.support.casa_jobs import Jobs
from tests.support.docker_engine import DockerEngine
from tests.support.postgresql import PostgresServer
from tests.support.rabbitmq import RabbitServer
from tests.support.slurm import SlurmCluster


@pytest.fixture(autouse=True)
def plain_logs() -> Iterator[None]:
    """Begin every test with logs as they are here, whatever the one before configured.

    Tracebacks are plain: the pretty ones show all variables and take half a second each.
    """
    structlog.reset_defaults()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
        ]
    )
    yield
    root = logging.getLogger()
    root.handlers = [entry for entry in root.handlers if not isinstance(entry.formatter, ProcessorFormatter)]
    root.setLevel(logging.WARNING)


@pytest.fixture(scope="session")
def observatory_cache() -> Path:
    """Folder in which synthetic execution blocks are kept from run to run."""
    folder = Path(__file__).parents[1] / ".cache" / "observatory"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def tables(tmp_path: Path) -> Iterator[ArchiveTables]:
    """The demo's metadata database, in a file of the test's own."""
    tables = ArchiveTables(tmp_path)
    tables.fill()
    yield tables
    tables.close()


@pytest.fixture(scope="session")
def rabbit_server() -> Iterator[RabbitServer]:
    """A RabbitMQ broker for all tests; each uses exchanges and queues under a prefix of its own."""
    with RabbitServer() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL server for all tests; each makes databases of its own. Who stops it starts it again."""
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[DockerEngine]:
    """A container engine for all tests. Who stops it starts it again."""
    with DockerEngine() as engine:
        yield engine


@pytest.fixture(scope="session")
def slurm_cluster() -> Iterator[SlurmCluster]:
    """A Slurm cluster for all tests. Who stops its controller starts it again."""
    with SlurmCluster() as cluster:
        yield cluster


@pytest.fixture
def jobs(tmp_path: Path) -> Jobs:
    """Jobs for a launcher, each test's own."""
    return Jobs(tmp_path)


@pytest.fixture
def files(jobs: Jobs) -> Iterator[CasaFiles]:
    """An attempt with its job, of which nothing stays."""
    with jobs.attempt() as made:
        yield made
    assert list(jobs.attempts.glob(f"{made.attempt.root.name}*")) == []


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run in CI in which anything was skipped."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter is not None and reporter.stats.get("skipped"):
        reporter.write_line("Skipped tests are failures in CI.", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED

"""The buses, the ledgers, and the real S3 server that the object store's suites share."""

import secrets
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from services.request_desk.ledger.store import SqlLedger
from shared.bus import Bus
from shared.objects import S3Settings
from shared.objects.s3_client import S3Client
from tests.contract.bus_harness import Harness, MemoryHarness
from tests.contract.bus_rabbit import RabbitHarness
from tests.contract.ledger_harness import LedgerHarness, postgresql_url, sqlite_url
from tests.contract.objects_harness import DirectoryHarness, S3Harness, StoreHarness
from tests.support.certificates import certificate_for
from tests.support.s3 import S3Server, settings_named


@pytest.fixture(params=["memory", "rabbitmq"])
def bus_harness(request: pytest.FixtureRequest) -> Iterator[Harness]:
    """Give either adapter."""
    harness: Harness = (
        MemoryHarness() if request.param == "memory" else RabbitHarness(request.getfixturevalue("rabbit_server").url)
    )
    yield harness
    harness.close()


@pytest.fixture
def bus(bus_harness: Harness) -> Bus:
    """Give a bus of either adapter."""
    return bus_harness.bus()


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A server of our own, which speaks TLS, too."""
    with S3Server(certificate=certificate_for("localhost", tmp_path_factory.mktemp("certificate"))) as server:
        yield server


@pytest.fixture(scope="session")
def s3_settings(request: pytest.FixtureRequest) -> Iterator[S3Settings]:
    """A bucket on a server of our own, or on the one that ``S3_URL`` and its like name; there it is removed."""
    bucket = f"objects-{secrets.token_hex(6)}"
    if not (settings := settings_named(bucket=bucket)):
        server: S3Server = request.getfixturevalue("s3_server")
        yield prepared(server.settings(bucket=bucket))
        return
    yield prepared(settings)
    with closing(client_of(settings)) as client:
        client.remove_bucket(bucket)


def prepared(settings: S3Settings) -> S3Settings:
    """Create the bucket, and let tests wait less for a server that is away."""
    with closing(client_of(settings)) as client:
        client.make_bucket(settings.bucket)
    return settings.model_copy(update={"retries": 1})


def client_of(settings: S3Settings) -> S3Client:
    return S3Client(settings, connect_timeout=5, read_timeout=60, retries=1)


@pytest.fixture(params=["directory", "s3"])
def harness(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreHarness]:
    """Give either adapter of the object store."""
    harness = (
        DirectoryHarness(tmp_path_factory.mktemp("store") / "root")
        if request.param == "directory"
        else S3Harness(request.getfixturevalue("s3_settings"))
    )
    yield harness
    harness.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_harness(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LedgerHarness]:
    """Give either database."""
    if request.param == "sqlite":
        opened = LedgerHarness(sqlite_url(tmp_path))
    else:
        opened = LedgerHarness(postgresql_url(request.getfixturevalue("postgres_server")))
    yield opened
    opened.close()


@pytest.fixture
def ledger(ledger_harness: LedgerHarness) -> SqlLedger:
    """Give a ledger on either database."""
    return ledger_harness.open()


@pytest.fixture
def s3(s3_settings: S3Settings) -> Iterator[S3Harness]:
    harness = S3Harness(s3_settings)
    yield harness
    harness.close()


@pytest.fixture
def s3_over_tls(s3_server: S3Server) -> Iterator[S3Harness]:
    harness = S3Harness(prepared(s3_server.tls_settings(bucket=f"tls-{secrets.token_hex(6)}")))
    yield harness
    harness.close()

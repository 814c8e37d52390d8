"""A deployment for tests: every service in a process of its own, over real RabbitMQ and a real S3 server."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from alma_restore.demo.house import House
from alma_restore.registry import BUILDERS
from contracts.envelope import Event
from contracts.flow import QUEUES
from contracts.messages import RequestSubmitted
from contracts.messages.parts import RestoreRequest
from observatory.ngas.server import NgasServer
from shared.bus.rabbitmq import RabbitBus
from shared.bus.settings import RabbitSettings
from shared.objects.s3 import S3Store
from shared.objects.settings import S3Settings
from shared.service import source_of
from tests.support.ports import free_ports
from tests.support.rabbitmq import LONG_JOBS
from tests.support.s3 import store_environment
from tests.support.standing_still import stop_in_their_tracks

REPOSITORY = Path(__file__).parents[2]
START_TIMEOUT = 60.0


class Observatory(Protocol):
    """Where raw data and metadata come from."""

    ngas: NgasServer

    @property
    def locations(self) -> Path:
        """Directory of location reports."""

    @property
    def database_url(self) -> str:
        """SQLAlchemy URL of the metadata database."""


class Broker(Protocol):
    """RabbitMQ, or a way to it."""

    @property
    def url(self) -> str:
        """Where it listens."""


class Store(Protocol):
    """An S3 server, or a way to it."""

    def settings(self) -> S3Settings:
        """Make the settings of a store on it."""


class ServiceProcess:
    """One replica of a service, as an operator would run it.

    Parameters
    ----------
    name
        The service.
    environment
        Its settings.
    log
        File that its log is added to.
    """

    def __init__(self, name: str, environment: dict[str, str], log: Path) -> None:
        self.name = name
        self._environment = environment
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0

    @property
    def address(self) -> str:
        """Where it answers over HTTP: health and metrics."""
        return f"127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        """Process id of the running replica."""
        assert self._process is not None, f"{self.name} does not run"
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """The code that it ended with by itself; None while it runs, or if somebody ended it."""
        return None if self._process is None else self._process.poll()

    def start(self) -> None:
        """Start the replica; `wait_until_ready` tells when it can work."""
        (self._port,) = free_ports(1)
        module = f"services.{self.name.replace('-', '_')}"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module],
                cwd=REPOSITORY,
                env=self._environment | {"ALMA_RESTORE_HTTP_PORT": str(self._port)},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait_until_ready(self) -> None:
        """Wait until the replica says over HTTP that it can take work."""
        until = time.monotonic() + START_TIMEOUT
        while not self._is_ready():
            assert self._process is not None
            assert self._process.poll() is None, f"{self.name} ended: {self._log.read_text()[-3000:]}"
            assert time.monotonic() < until, f"{self.name} is not ready: {self._log.read_text()[-3000:]}"
            time.sleep(0.05)

    def _is_ready(self) -> bool:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=5)
        try:
            connection.request("GET", "/ready")
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()

    def freeze(self) -> None:
        """Stop the replica in its tracks; what is delivered to it stays unacknowledged."""
        stop_in_their_tracks([self.pid])

    def kill(self) -> None:
        """Kill the replica with -9."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """End the replica as an operator does, by SIGTERM; returns its exit code."""
        return self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> int:
        if self._process is None:
            return 0
        self._process.send_signal(how)
        code = self._process.wait(60)
        self._process = None
        return code


class Deployment:
    """All services with two casa-runners, over a broker, an S3 server and an observatory; a context manager.

    Parameters
    ----------
    root
        Folder for deliveries, mails, scratch and logs.
    alma
        The observatory; it must be serving.
    broker, s3
        The running servers.
    services
        The services, each as often as it has replicas.
    mail_server
        Port of the mail server on loopback; mails go into a folder if None.
    settings
        Further settings of theirs, as environment.
    """

    def __init__(
        self,
        *,
        root: Path,
        alma: Observatory,
        broker: Broker,
        s3: Store,
        services: Sequence[str] = (*BUILDERS, "casa-runner"),
        mail_server: int | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.house = House(root)
        root.mkdir(parents=True, exist_ok=True)
        self.logs = root / "logs"
        self.logs.mkdir()
        self.bus = RabbitBus(settings=RabbitSettings.model_validate({"url": broker.url}))
        self._store_settings = s3.settings()
        self._environment = {
            **self._settings(alma, broker, self._store_settings),
            **self._mail_settings(mail_server),
            **(settings or {}),
        }
        self.replicas = [
            ServiceProcess(name, self._environment, self.logs / f"{number}-{name}.jsonl")
            for number, name in enumerate(services)
        ]

    def _settings(self, alma: Observatory, broker: Broker, store: S3Settings) -> dict[str, str]:
        notifier = self.house.notifier_settings()
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("ALMA_RESTORE_")},
            "ALMA_RESTORE_BUS__URL": broker.url,
            "ALMA_RESTORE_BUS__BROKER_CONSUMER_TIMEOUT": str(LONG_JOBS),
            **store_environment(store),
            "ALMA_RESTORE_RETRY_DELAYS": json.dumps([0.5, 1.0, 2.0]),
            "ALMA_RESTORE_ARCHIVE_DB_URL": alma.database_url,
            "ALMA_RESTORE_NGAS_FETCHER_HOSTS": alma.ngas.address,
            "ALMA_RESTORE_NGAS_FETCHER_LOCATION_DIRECTORY": str(alma.locations),
            "ALMA_RESTORE_CASA_RUNNER_SCRATCH": str(self.house.scratch),
            **{
                f"ALMA_RESTORE_NOTIFIER_{name.upper()}": str(getattr(notifier, name))
                for name in (
                    "deliveries",
                    "public_url",
                    "sender",
                    "no_reply",
                    "support",
                    "operations",
                    "message_id_domain",
                )
            },
        }

    def _mail_settings(self, port: int | None) -> dict[str, str]:
        by_folder = {"kind": "directory", "folder": str(self.house.mails)}
        by_server = {"kind": "smtp", "host": "127.0.0.1", "port": str(port), "security": "none"}
        chosen = by_folder if port is None else by_server
        return {f"ALMA_RESTORE_NOTIFIER_MAIL__{name.upper()}": value for name, value in chosen.items()}

    def __enter__(self) -> Self:
        self.bus.declare(QUEUES)
        for replica in self.replicas:
            replica.start()
        for replica in self.replicas:
            replica.wait_until_ready()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for replica in self.replicas:
            replica.kill()
        self.bus.close()

    def named(self, name: str) -> ServiceProcess:
        """Return the first replica of a service."""
        return next(replica for replica in self.replicas if replica.name == name)

    def submit(self, request: RestoreRequest, *, source: str = "tests") -> None:
        """Say that somebody asks for data."""
        self.bus.publish([Event.first(RequestSubmitted(request=request), source=source_of(source))])

    def listen(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        """Show every event from now on to an onlooker; returns what ends that."""
        return self.bus.listen(listener)

    def store(self) -> S3Store:
        """Open the store that the services share."""
        return S3Store(settings=self._store_settings)

"""The whole compose project on a container engine, on an image that is made here."""

import json
import os
import secrets
import subprocess
from collections.abc import Iterator, Sequence
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from typing import Any, Self

import docker
import urllib3
from docker.models.containers import Container

import compose
from alma_restore import Desk
from alma_restore.demo.mails import SentMail
from shared.bus.rabbitmq import RabbitBus
from shared.bus.settings import RabbitSettings
from tests.support.ports import free_ports

REPOSITORY = Path(__file__).parents[2]
_COMPOSE = Path(compose.__file__).with_name("docker-compose")
SECRETS = (
    "RABBITMQ_PASSWORD",
    "S3_ACCESS_KEY",
    "S3_SECRET_KEY",
    "POSTGRES_PASSWORD",
    "SESSION_SECRET",
    "SIGN_IN_KEY",
    "GRAFANA_PASSWORD",
)
_PORTS = (
    "DESK_PORT",
    "RABBITMQ_PORT",
    "RABBITMQ_MANAGEMENT_PORT",
    "S3_PORT",
    "MAIL_WEB_PORT",
    "PROMETHEUS_PORT",
    "ALERTMANAGER_PORT",
)


class ComposeProject:
    """All services of docker-compose.yml but Grafana, with three casa-runners; a context manager.

    Parameters
    ----------
    engine
        Address of the container engine.
    base
        The image in the place of the published one with Python.
    changes
        What differs from docker-compose.yml.
    folder
        Where settings are put.
    """

    VERSION = "1.2.3.post4+c0ffee"
    REVISION = "c0ffee"
    SOURCE = "https://example.org/alma-restore"

    def __init__(self, *, engine: str, base: str, changes: dict[str, Any], folder: Path) -> None:
        self._name = f"alma-restore-{secrets.token_hex(4)}"
        self._client = docker.DockerClient(base_url=engine)
        self._ports = dict(zip(_PORTS, map(str, free_ports(len(_PORTS))), strict=True))
        self._secrets = {name: secrets.token_hex(24) for name in SECRETS}
        self._changes = folder / "changes.json"
        self._changes.write_text(json.dumps(changes))
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "DOCKER_HOST": engine,
            "TAG": "test",
            "VERSION": self.VERSION,
            "REVISION": self.REVISION,
            "SOURCE": self.SOURCE,
            "SCALE": "3",
            "PUBLIC_URL": f"http://127.0.0.1:{self._ports['DESK_PORT']}",
            "CASA_GRACE": "20s",
            "CASA_DRAIN_SECONDS": "10",
            "PYTHON_IMAGE": base,
            "BUILD_NETWORK": "host",
            **self._ports,
            **self._secrets,
        }

    def __enter__(self) -> Self:
        try:
            self._run("up", "--build", "--detach", "--wait", "--wait-timeout", "400", *self._services())
        except BaseException:  # nothing is left of a start that failed; raised again
            self.close()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
        self._client.close()

    def close(self) -> None:
        """Take the project down with what it keeps."""
        self._run("down", "--volumes", "--remove-orphans", "--timeout", "3")

    def containers(self, service: str) -> list[Container]:
        """Return the containers of a service."""
        labels = [f"com.docker.compose.project={self._name}", f"com.docker.compose.service={service}"]
        return list(self._client.containers.list(all=True, filters={"label": labels}))

    def left(self) -> list[object]:
        """Return what there is of the project, whose engine nobody else uses: containers, volumes and networks."""
        return [
            *self._client.containers.list(all=True),
            *self._client.volumes.list(),
            *(one for one in self._client.networks.list() if one.name not in ("host", "none")),
        ]

    def bus(self) -> RabbitBus:
        """Open the bus that the services share."""
        url = f"amqp://alma-restore:{self._secrets['RABBITMQ_PASSWORD']}@127.0.0.1:{self._ports['RABBITMQ_PORT']}/%2F"
        return RabbitBus(settings=RabbitSettings.model_validate({"url": url}))

    def desk(self) -> Desk:
        """Open the request desk, as an operator."""
        return Desk(f"http://127.0.0.1:{self._ports['DESK_PORT']}", token=self._secrets["SIGN_IN_KEY"])

    def mails(self) -> Iterator[SentMail]:
        """Read all mails about requests that were caught."""
        for name, message in self._caught():
            if "X-ALMA-Restore-Request" in message:
                yield SentMail(Path(name), message)

    def alarms(self) -> list[str]:
        """Return the subjects of all other mails: Alertmanager's."""
        return [str(mail["Subject"]) for _, mail in self._caught() if "X-ALMA-Restore-Request" not in mail]

    def raise_alert(self, name: str) -> None:
        """Have Alertmanager take in an alert, as Prometheus would send it."""
        address = f"http://127.0.0.1:{self._ports['ALERTMANAGER_PORT']}/api/v2/alerts"
        answer = urllib3.request("POST", address, json=[{"labels": {"alertname": name}}])
        assert answer.status == 200, answer.data

    def rules(self) -> dict[str, str]:
        """Say of each alert that Prometheus has loaded how its rule is: ``ok``, ``err``, or ``unknown`` at first."""
        address = f"http://127.0.0.1:{self._ports['PROMETHEUS_PORT']}/api/v1/rules?type=alert"
        groups = urllib3.request("GET", address).json()["data"]["groups"]
        return {rule["name"]: rule["health"] for group in groups for rule in group["rules"]}

    def alertmanagers(self) -> int:
        """Count the Alertmanagers that Prometheus sends alerts to."""
        address = f"http://127.0.0.1:{self._ports['PROMETHEUS_PORT']}/api/v1/alertmanagers"
        return len(urllib3.request("GET", address).json()["data"]["activeAlertmanagers"])

    def _caught(self) -> Iterator[tuple[str, EmailMessage]]:
        address = f"http://127.0.0.1:{self._ports['MAIL_WEB_PORT']}/api/v1"
        listed = urllib3.request("GET", f"{address}/messages?limit=1000").json()["messages"]
        for entry in listed:
            raw = urllib3.request("GET", f"{address}/message/{entry['ID']}/raw").data
            yield entry["ID"], BytesParser(EmailMessage, policy=policy.default).parsebytes(raw)

    def targets(self) -> dict[str, str]:
        """Say of each address that Prometheus scrapes how it is, by service and address."""
        address = f"http://127.0.0.1:{self._ports['PROMETHEUS_PORT']}/api/v1/targets?state=active"
        found = urllib3.request("GET", address).json()["data"]["activeTargets"]
        return {f"{one['labels'].get('service')} {one['scrapeUrl']}": one["health"] for one in found}

    def _services(self) -> Sequence[str]:
        """Name all but Grafana, which no package registry has."""
        return [name for name in self._run("config", "--services").split() if name != "grafana"]

    def _run(self, *arguments: str) -> str:
        files = ("--file", "docker-compose.yml", "--file", self._changes, "--env-file", "/dev/null")
        command: list[str | Path] = [_COMPOSE, "--project-name", self._name, "--profile", "demo", *files, *arguments]
        done = subprocess.run(
            command, cwd=REPOSITORY, env=self._environment, capture_output=True, text=True, timeout=500, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(f"docker compose {arguments[0]} failed: {done.stderr[-3000:]}{self._unwell()}")
        return str(done.stdout)

    def _unwell(self) -> str:
        """Say what containers that do not run well have logged last."""
        bad = [one for one in self._client.containers.list(all=True) if one.status != "running"]
        return "".join(f"\n{one.name} ({one.status}): {one.logs(tail=15).decode(errors='replace')}" for one in bad)

"""All services over real servers under a real Prometheus, after a few requests that ended each in its own way."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from typing import Any

import yaml

from alma_restore.registry import BUILDERS
from contracts.envelope import Event
from contracts.messages import MailSent, TicketSubmitted
from contracts.messages.parts import RestoreRequest, RestoreTicket
from observatory import metadata_demo
from observatory.metadata_entities import DemoAccount, DemoMous
from shared.service import source_of
from shared.tickets import requests_of
from tests.chaos.standin_casa import write_standin
from tests.chaos.tiny_alma import TinyAlma, tiny_mous
from tests.support.demo_requests import request_of
from tests.support.deployment import REPOSITORY, Deployment
from tests.support.ports import free_ports
from tests.support.prometheus import PrometheusServer
from tests.support.rabbitmq import RabbitServer
from tests.support.s3 import S3Server

CRASHING, UNCALIBRATED = tiny_mous(1, blocks=1), tiny_mous(2, blocks=1)
GOOD = (tiny_mous(3, blocks=1), tiny_mous(4, blocks=1))
"""One for each round: what is stored already would not be fetched and restored again."""
_SCRAPE = "1s"


@dataclass(frozen=True)
class WatchedSite:
    """What runs."""

    deployment: Deployment
    prometheus: PrometheusServer


@contextmanager
def watched(root: Path) -> Iterator[WatchedSite]:
    """Start all, and serve the requests twice; each time wait until Prometheus has seen it.

    What is counted once only has no rate: its series begins with that count.
    """
    with ExitStack() as stack:
        broker = stack.enter_context(RabbitServer(prometheus=True))
        s3 = stack.enter_context(S3Server())
        alma = stack.enter_context(
            TinyAlma(root=root / "alma", mouss=(CRASHING, UNCALIBRATED, *GOOD), uncalibrated=[UNCALIBRATED.uid])
        )
        deployment = stack.enter_context(
            Deployment(
                root=root / "site",
                alma=alma,
                broker=broker,
                s3=s3,
                services=tuple(BUILDERS),
                settings=_settings(root),
            )
        )
        prometheus = stack.enter_context(PrometheusServer(_config(deployment, broker)))
        for good in GOOD:
            _serve(deployment, good)
            _wait_for_scrapes(prometheus)
        yield WatchedSite(deployment=deployment, prometheus=prometheus)


def _settings(root: Path) -> dict[str, str]:
    (port,) = free_ports(1)
    triggers = root / "triggers"
    triggers.mkdir()
    casa = write_standin(root / "casa", seconds=(0.1, 0.2), crashing=[CRASHING.blocks[0].uid.file_form])
    return {
        "ALMA_RESTORE_CASA_RUNNER_PYTHON": str(casa),
        "ALMA_RESTORE_REQUEST_DESK_LEDGER_URL": f"sqlite:///{root}/ledger.db",
        "ALMA_RESTORE_REQUEST_DESK_LEDGER_LOOK_SECONDS": "0.5",
        "ALMA_RESTORE_REQUEST_DESK_WEB_PORT": str(port),
        "ALMA_RESTORE_REQUEST_DESK_DELIVERIES_ROUND_SECONDS": "1",
        "ALMA_RESTORE_REQUEST_DESK_TRIGGERS": str(triggers),
    }


def _config(deployment: Deployment, broker: RabbitServer) -> dict[str, Any]:
    """Take the configuration that is shipped, with addresses where it asks a name server."""
    shipped: dict[str, Any] = yaml.safe_load((REPOSITORY / "compose" / "prometheus" / "prometheus.yml").read_text())
    services, rabbitmq = shipped["scrape_configs"]
    del services["dns_sd_configs"], services["relabel_configs"]
    services["static_configs"] = [
        {"targets": [replica.address], "labels": {"service": replica.name}} for replica in deployment.replicas
    ]
    rabbitmq["static_configs"] = [{"targets": [f"127.0.0.1:{broker.prometheus_port}"]}]
    return {
        "global": {"scrape_interval": _SCRAPE, "evaluation_interval": _SCRAPE},
        "rule_files": [str(REPOSITORY / "dashboards" / "prometheus" / "*.yml")],
        "scrape_configs": [services, rabbitmq],
    }


def _serve(deployment: Deployment, good: DemoMous) -> None:
    """Ask for what is delivered, what fails and what is refused, and by a ticket; wait for the mail of each request."""
    told = Queue[MailSent]()
    end = deployment.listen(lambda event: _hear(event, told))
    requests = [
        _request(good, metadata_demo.PI),
        _request(CRASHING, metadata_demo.PI),
        _request(UNCALIBRATED, metadata_demo.PI),
        _request(good, metadata_demo.STRANGER),
    ]
    for request in requests:
        deployment.submit(request)
    ticket = _ticket(good)
    deployment.bus.publish([Event.first(TicketSubmitted(request=ticket), source=source_of("tests"))])
    requests += requests_of(ticket)
    left = {request.request_id for request in requests}
    while left:
        left.discard(told.get(timeout=60).request_id)
    end()


def _hear(event: Event, told: Queue[MailSent]) -> None:
    if isinstance(event.data, MailSent):
        told.put(event.data)


def _request(mous: DemoMous, person: DemoAccount) -> RestoreRequest:
    return request_of(person, mous, project_code=metadata_demo.PROJECT.code, ticket="ALMA-1", force=True)


def _ticket(mous: DemoMous) -> RestoreTicket:
    request = _request(mous, metadata_demo.PI)
    shared = request.model_dump(include={"request_id", "project_code", "user_name", "user_email", "ticket", "force"})
    return RestoreTicket(mous_uids=(mous.uid,), **shared)


def _wait_for_scrapes(prometheus: PrometheusServer) -> None:
    """Wait until every target was scraped again, and well."""
    ((_, now),) = (one["value"] for one in prometheus.query("vector(time())"))
    prometheus.wait_for(f"count((timestamp(up) > {now}) and (up == 1)) == {len(BUILDERS) + 1}")

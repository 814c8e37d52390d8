"""The observatory and the system of processes that the main job's tests share; each start of one costs."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import SecretStr

from alma_restore.demo.house import DeskDoor
from observatory.metadata_demo import EMPTY_FIRST_SESSION
from observatory.miniature import RESTORABLE, MiniatureAlma
from tests.support.collector import collecting
from tests.support.deployment import Deployment
from tests.support.ports import free_ports
from tests.support.rabbitmq import RabbitServer
from tests.support.s3 import S3Server
from tests.support.spans import Spans, kept_spans


@dataclass
class Deployed:
    """Every service in a process of its own, with the door of its desk and the spans of all processes."""

    deployment: Deployment
    desk: DeskDoor
    spans: Spans


@pytest.fixture(scope="session")
def main_alma(tmp_path_factory: pytest.TempPathFactory, observatory_cache: Path) -> Iterator[MiniatureAlma]:
    """All that can be restored, and a MOUS of one execution block that the demo does not ask for."""
    mouss = (*RESTORABLE, EMPTY_FIRST_SESSION)
    with MiniatureAlma(root=tmp_path_factory.mktemp("observatory"), cache=observatory_cache, mouss=mouss) as alma:
        yield alma


@pytest.fixture(scope="session")
def deployed(main_alma: MiniatureAlma, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """The system of processes, over RabbitMQ and an S3 server of its own."""
    root = tmp_path_factory.mktemp("deployed")
    door = DeskDoor(free_ports(1)[0], SecretStr("the key of this machine"))
    settings = {
        "ALMA_RESTORE_REQUEST_DESK_LEDGER_URL": f"sqlite:///{root / 'ledger.db'}",
        "ALMA_RESTORE_REQUEST_DESK_WEB_PORT": str(door.port),
        "ALMA_RESTORE_REQUEST_DESK_WEB_SIGN_IN__KIND": "local",
        "ALMA_RESTORE_REQUEST_DESK_WEB_SIGN_IN__KEY": door.key.get_secret_value(),
        "ALMA_RESTORE_CASA_RUNNER_LEASE": "20",  # who takes over from a dead runner waits for so long
    }
    with (
        kept_spans() as spans,
        collecting(spans.add) as exporting,
        RabbitServer() as broker,
        S3Server() as s3,
        Deployment(root=root, alma=main_alma, broker=broker, s3=s3, settings=settings | exporting) as deployment,
    ):
        yield Deployed(deployment, door, spans)

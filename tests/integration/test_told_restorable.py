"""Who asked too early is told, once, when the MOUS can be restored: by the command, and by its schedule.

RabbitMQ and the command's process are real, and so are the two services that remember and tell.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import delete
from typer.testing import CliRunner, Result

from alma_restore.cli import app
from contracts.envelope import Event
from contracts.flow import QUEUES
from contracts.messages import MailSent, MousRestorable, RequestAccepted, RequestRefused
from contracts.messages.parts import Entitlement, MailKind, RestoreRequest
from contracts.reasons import ReasonCode
from observatory import metadata_demo as demo
from observatory.metadata import add_products
from services.metadata_resolver import service as metadata_resolver
from services.metadata_resolver.settings import MetadataResolverSettings
from services.notifier import service as notifier
from shared.archive_db.tables import ASA_PRODUCT_FILES
from shared.metrics import ServiceMetrics
from shared.not_restorable import NotRestorableYet
from shared.objects import DirectorySettings, open_store
from shared.runtime import Runtime
from tests.contract.bus_rabbit import RabbitHarness
from tests.support.archive_tables import ArchiveTables, caltables_of
from tests.support.conversation import Conversation
from tests.support.demo_requests import request_of
from tests.support.kustomized import container_of
from tests.support.rabbitmq import RabbitServer
from tests.unit.services.notifier.samples import settings as notifier_settings

SECONDS = 20.0


class Site:
    """A MOUS without calibration tables, the services, and the environment of the command."""

    def __init__(self, server: RabbitServer, folder: Path) -> None:
        self.folder = folder
        self.tables = ArchiveTables(folder)
        self.tables.fill()
        self.tables.change(lambda connection: connection.execute(delete(ASA_PRODUCT_FILES)))
        self.objects = open_store(DirectorySettings(root=folder / "objects"))
        self.rabbit = RabbitHarness(server.url)
        self.bus = self.rabbit.bus()
        self.bus.declare(QUEUES)
        self.talk = Conversation(self.bus)
        database = MetadataResolverSettings(database=self.tables.settings())
        self.services = (
            metadata_resolver.build(objects=self.objects, settings=database),
            notifier.build(objects=self.objects, settings=notifier_settings(folder, deliveries=None)),
        )
        runtime = Runtime(bus=self.bus, metrics=ServiceMetrics(CollectorRegistry()))
        for service in self.services:
            runtime.add(service)
        self.environment = {
            "ALMA_RESTORE_ARCHIVE_DB_URL": f"sqlite:///{self.tables.path}",
            "ALMA_RESTORE_CALIBRATION_STATUS_PATH": str(folder / "status.db"),
            "ALMA_RESTORE_STORE__KIND": "directory",
            "ALMA_RESTORE_STORE__ROOT": str(folder / "objects"),
            "ALMA_RESTORE_BUS__URL": server.url,
            "ALMA_RESTORE_BUS__PREFIX": self.rabbit.settings.prefix,
            "COLUMNS": "250",
        }

    def ask_too_early(self) -> RestoreRequest:
        """Have a request refused as not restorable yet, and wait until the mail that says so is out."""
        request = request_of(demo.PI, contact_email="contact@example.org")
        accepted = RequestAccepted(request=request, entitlement=Entitlement.PI)
        self.bus.publish([Event.first(accepted, source="/test")])
        (refused,) = self.talk.until(1, RequestRefused, timeout=SECONDS)
        assert isinstance(refused.data, RequestRefused)
        assert refused.data.reason is ReasonCode.NOT_RESTORABLE_YET
        self.talk.until(1, MailSent, timeout=SECONDS)
        return request

    def calibrate(self) -> None:
        """Let the archive have the MOUS's calibration tables."""
        self.tables.change(lambda connection: add_products(connection, demo.MOUS.uid, caltables_of(demo.MOUS)))

    def refresh(self, *arguments: str) -> Result:
        """Refresh as the CronJob of Kubernetes does."""
        scheduled = container_of("refresh.yaml")["args"]
        done = CliRunner(env=self.environment).invoke(app, [*scheduled, *arguments])
        assert done.exit_code == 0, done.output
        return done

    def mails_to_the_user(self) -> list[EmailMessage]:
        """Return the mails whose first recipient is the user."""
        found = [message_from_bytes(path.read_bytes(), policy=default) for path in self.folder.glob("mails/*.eml")]
        return [mail for mail in found if isinstance(mail, EmailMessage) and mail["To"] == demo.PI.email]

    def close(self) -> None:
        self.bus.drain(5)
        self.rabbit.close()
        for service in self.services:
            service.close()
        self.objects.close()
        self.tables.close()


@pytest.fixture
def site(rabbit_server: RabbitServer, tmp_path: Path) -> Iterator[Site]:
    site = Site(rabbit_server, tmp_path)
    yield site
    site.close()


def test_by_command_the_user_gets_one_mail_however_often_the_record_is_refreshed(site: Site) -> None:
    request = site.ask_too_early()
    assert "Can be restored now" not in site.refresh().output
    site.calibrate()
    assert demo.PI.email in site.refresh("--only-show").output
    assert "they are told by mail" in site.refresh().output
    site.talk.until(2, MailSent, timeout=SECONDS)
    for arguments in ((), ("--full",), ("--only-show",)):
        assert demo.PI.email not in site.refresh(*arguments).output
    (said,) = site.talk.of(MousRestorable)
    assert said.correlationid == request.request_id
    site.bus.publish([said, said])
    sent = [event.data for event in site.talk.until(4, MailSent, timeout=SECONDS)]
    assert {mail.kind for mail in sent[1:] if isinstance(mail, MailSent)} == {MailKind.RESTORABLE}
    (mail,) = site.mails_to_the_user()
    assert mail["Bcc"] == "contact@example.org, operations@example.org"
    assert "please ask for the data again" in " ".join(str(mail.get_body(("plain",))).split())
    told = NotRestorableYet(objects=site.objects).told(request)
    assert told is not None
    assert (told.refused.request, told.by) == (request, "event")


def test_who_was_told_by_a_person_gets_no_mail(site: Site) -> None:
    request = site.ask_too_early()
    site.calibrate()
    assert demo.PI.email in site.refresh("--told").output
    assert demo.PI.email not in site.refresh().output
    told = NotRestorableYet(objects=site.objects).told(request)
    assert told is not None
    assert told.by == "person"
    assert not site.talk.of(MousRestorable)


def test_by_schedule_the_user_gets_the_mail_soon_after_the_products_are_there(site: Site) -> None:
    site.ask_too_early()
    process = subprocess.Popen(
        [str(Path(sys.executable).with_name("alma-restore")), "refresh", "--every", "1"],
        env={**os.environ, **site.environment, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("Full pass: 9 MOUSs")
    site.calibrate()
    site.talk.until(2, MailSent, timeout=SECONDS)
    process.send_signal(signal.SIGINT)
    assert process.wait(SECONDS) == 0
    process.stdout.close()
    assert len(site.mails_to_the_user()) == 1


def test_while_rabbitmq_is_away_nobody_is_struck_off(site: Site) -> None:
    request = site.ask_too_early()
    site.calibrate()
    site.environment["ALMA_RESTORE_BUS__URL"] = "amqp://guest:guest@127.0.0.1:1/%2F"
    site.environment["ALMA_RESTORE_BUS__CONNECT_TIMEOUT"] = "1"
    away = CliRunner(env=site.environment).invoke(app, ["refresh"])
    assert away.exit_code == 2
    assert "RabbitMQ" in away.output
    assert [one.request for one in NotRestorableYet(objects=site.objects).all()] == [request]

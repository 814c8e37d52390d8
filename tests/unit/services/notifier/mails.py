"""Every kind of mail as the service writes it, and the golden files that they are compared with."""

import os
from collections.abc import Callable, Sequence
from datetime import timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

from contracts.messages import (
    Message,
    MousRestorable,
    ReleaseGranted,
    ReleaseWithheld,
    RequestFailed,
    RequestRefused,
    TicketRefused,
)
from contracts.messages.parts import RestoredBlock
from contracts.reasons import ReasonCode
from services.notifier.addresses import Addresses
from services.notifier.area import DirectoryArea
from services.notifier.mail_directory import DirectoryTransport
from services.notifier.service import Notifier
from services.notifier.writer import Correspondents, MailWriter
from shared.objects import ObjectStore
from tests.support.delivery import RecordingDelivery
from tests.support.samples import TICKET
from tests.unit.services.notifier.samples import (
    CALIBRATORS,
    EBS,
    EVENT_ID,
    NOW,
    REQUEST,
    TOKEN,
    event_of,
    expiring,
    failure,
    now,
    restored,
    settings,
)

GOLDENS = Path(__file__).parents[3] / "golden" / "mails"


def agree_with_golden(name: str, found: str) -> None:
    path = GOLDENS / name
    if os.environ.get("UPDATE_GOLDENS"):
        path.write_text(found)
    assert found == path.read_text()


def handled(message: Message, folder: Path, objects: ObjectStore) -> Path:
    """Let the service handle a message and return the folder of its mails."""
    site = settings(folder)
    notifier = Notifier(
        settings=site,
        objects=objects,
        area=DirectoryArea(root=folder / "deliveries", objects=objects),
        transport=DirectoryTransport(folder=folder / "mails"),
        addresses=Addresses(
            objects=objects,
            public_url=site.public_url,
            retention=timedelta(days=site.retention_days),
            clock=now,
            new_token=lambda: TOKEN,
        ),
        clock=now,
    )
    notifier.handle(event_of(message), RecordingDelivery())
    return folder / "mails"


def mail_text(folder: Path) -> str:
    (path,) = folder.glob("*.eml")
    assert path.name == f"{EVENT_ID}@restore.example.org.eml"
    return path.read_bytes().replace(b"\r\n", b"\n").decode()


def with_old_casa(blocks: Sequence[RestoredBlock]) -> tuple[RestoredBlock, ...]:
    changes = {"casa_version": "4.2.2", "casa_note": "Old project, using RHEL5 build of CASA."}
    return tuple(block.model_copy(update=changes) for block in blocks)


MESSAGES: dict[str, Callable[[ObjectStore], Message]] = {
    "delivered": lambda objects: ReleaseGranted(request=REQUEST, blocks=restored(objects)),
    "delivered_calibrators": lambda objects: ReleaseGranted(request=CALIBRATORS, blocks=restored(objects)),
    "delivered_old_casa": lambda objects: ReleaseGranted(request=REQUEST, blocks=with_old_casa(restored(objects))),
    "delivered_all_reused": lambda objects: ReleaseGranted(request=REQUEST, blocks=restored(objects, reused=4)),
    "delivered_some_reused": lambda objects: ReleaseGranted(request=REQUEST, blocks=restored(objects, reused=2)),
    "failed": lambda objects: RequestFailed(
        request=CALIBRATORS,
        failures=(failure(objects), failure(objects, log=None, eb_uid=EBS[1])),
        restored=restored(objects, ebs=EBS[2:]),
    ),
    "withheld": lambda _: ReleaseWithheld(
        request=REQUEST, reason=ReasonCode.QA3_IN_PROGRESS, detail="state QA3InProgress since 2026-01-01"
    ),
    "refused_without_contact": lambda _: RequestRefused(
        request=REQUEST.model_copy(update={"contact_email": None, "cc": ()}), reason=ReasonCode.NOT_ENTITLED
    ),
    "ticket_refused": lambda _: TicketRefused(
        request=TICKET, reason=ReasonCode.TOO_MANY_MOUS, detail="it names 11 different MOUS UIDs"
    ),
    "expiring": expiring,
    "restorable": lambda _: MousRestorable(request=REQUEST, since=NOW - timedelta(days=40)),
    "refused_calibrators": lambda _: RequestRefused(request=CALIBRATORS, reason=ReasonCode.MOUS_NOT_DELIVERED),
}


def golden(name: str) -> EmailMessage:
    return message_from_bytes((GOLDENS / name).read_bytes(), policy=default)


def plain_text(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def writer() -> MailWriter:
    """Make the writer of mails as the settings of the samples have it."""
    people = Correspondents(
        sender="alma-restore@example.org",
        no_reply="no-reply@example.org",
        support="support@example.org",
        operations="operations@example.org",
        message_id_domain="restore.example.org",
        signature="The ESO ALMA Team",
    )
    return MailWriter(people=people, clock=now)

"""Let the notifier handle an event, and look at what came of it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from contracts.envelope import Event
from contracts.messages import (
    DeliveryAnnounced,
    MailSent,
    ReleaseGranted,
)
from services.notifier.addresses import Addresses
from services.notifier.area import DirectoryArea
from services.notifier.mail import Mail
from services.notifier.service import Notifier
from services.notifier.transport import Handover, MailRefusedError, MailServerAwayError
from shared.objects import ObjectStore
from tests.support.delivery import RecordingDelivery
from tests.unit.services.notifier.samples import REQUEST, event_of, restored, settings


def granted(objects: ObjectStore, *, reused: int = 0) -> Event:
    return event_of(ReleaseGranted(request=REQUEST, blocks=restored(objects, reused=reused)))


def handle(notifier: Notifier, event: Event) -> list[Event]:
    return notifier.handle(event, RecordingDelivery())


def announcement(events: list[Event]) -> DeliveryAnnounced:
    (found,) = (event.data for event in events if isinstance(event.data, DeliveryAnnounced))
    return found


def mails_said(events: list[Event]) -> list[MailSent]:
    return [event.data for event in events if isinstance(event.data, MailSent)]


def mails(folder: Path) -> list[Path]:
    return list((folder / "mails").glob("*.eml"))


class PickyTransport:
    """A mail server that refuses some addresses for good, and all mails while it is away."""

    def __init__(self, refused: set[str]) -> None:
        self.refused = refused
        self.away = False
        self.taken: list[Mail] = []

    def send(self, mail: Mail) -> Handover:
        if self.away:
            raise MailServerAwayError("away")
        refused = {one: "550 unknown" for one in mail.recipients if one in self.refused}
        if len(refused) == len(mail.recipients):
            raise MailRefusedError("nobody")
        self.taken.append(mail)
        return Handover(refused=refused)

    def is_ready(self) -> bool:
        return not self.away


def with_transport(transport: PickyTransport, objects: ObjectStore, folder: Path) -> Notifier:
    site = settings(folder)
    return Notifier(
        settings=site,
        objects=objects,
        area=DirectoryArea(root=folder / "deliveries", objects=objects),
        transport=transport,
        addresses=Addresses(
            objects=objects, public_url=site.public_url, retention=timedelta(days=28), clock=lambda: datetime.now(UTC)
        ),
        clock=lambda: datetime.now(UTC),
    )

"""The notifier: lays out what may be delivered and tells each request's end by mail."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog
from prometheus_client import CollectorRegistry

from contracts.envelope import Event
from contracts.flow import QUEUES
from contracts.messages import (
    DeliveryAnnounced,
    DeliveryExpired,
    DeliveryExpiring,
    MailSent,
    MousRestorable,
    ReleaseGranted,
    ReleaseWithheld,
    RequestFailed,
    RequestRefused,
    TicketRefused,
)
from contracts.messages.parts import DeliveredFile, MailKind, RestoreRequest, RestoreTicket
from services.notifier.addresses import Addresses, DeliveryRecord
from services.notifier.area import DeliveryArea, DirectoryArea
from services.notifier.attachments import attach_logs
from services.notifier.mail import Mail
from services.notifier.metrics import MailMetrics
from services.notifier.opening import correspondents, log_limits, open_transport
from services.notifier.outbox import MailRecord, Outbox
from services.notifier.prov import write_provenance
from services.notifier.provenance import files_of, trace_blocks, write_readme, write_sums
from services.notifier.settings import NotifierSettings
from services.notifier.shelf import Shelf
from services.notifier.transport import MailRefusedError, MailTransport
from services.notifier.writer import MailWriter, undelivered_id
from shared import keys
from shared.bus import Delivery, Subscription
from shared.deliveries import PROVENANCE, README, SUMS
from shared.ends import RequestEnd, mark_end, may_end
from shared.objects import ObjectStore
from shared.service import source_of

log = structlog.get_logger()

Clock = Callable[[], datetime]

_End = ReleaseGranted | ReleaseWithheld | RequestFailed | RequestRefused | TicketRefused


class Notifier:
    """Ends requests: delivers, or says why not.

    Parameters
    ----------
    settings
        Settings of the service.
    objects
        Results, logs, and the records of what was done.
    area
        A directory where users find their data, if the request desk alone is not to serve them.
    transport
        How mails travel.
    addresses
        Chooses addresses of deliveries.
    clock
        Tells the time, UTC.

    Attributes
    ----------
    registry
        Where the service's own metrics are declared.
    """

    name = "notifier"

    def __init__(
        self,
        *,
        settings: NotifierSettings,
        objects: ObjectStore,
        area: DeliveryArea | None,
        transport: MailTransport,
        addresses: Addresses,
        clock: Clock,
    ) -> None:
        self._concurrency = settings.concurrency
        # Without a directory nothing is copied, and no event is held for more than a moment.
        self._longest = settings.longest if area is not None else None
        self._limits = log_limits(settings)
        self._objects = objects
        self._shelf = Shelf(objects=objects)
        self._area = area
        self._transport = transport
        self._addresses = addresses
        self._clock = clock
        self.registry = CollectorRegistry()
        self._outbox = Outbox(
            objects=objects,
            transport=transport,
            clock=clock,
            metrics=MailMetrics(self.registry),
            patience=timedelta(seconds=settings.lease_seconds),
        )
        self._writer = MailWriter(people=correspondents(settings), clock=clock)

    def subscriptions(self) -> Sequence[Subscription]:
        """Listen to the ends of requests and of deliveries."""
        return [
            Subscription(
                queue=self.name,
                topics=QUEUES[self.name],
                handler=self.handle,
                concurrency=self._concurrency,
                longest=self._longest,
            )
        ]

    def handle(self, event: Event, _delivery: Delivery) -> list[Event]:
        """Deliver or refuse, by one mail per event however often it comes.

        Of a cancelled request nothing is said, nor of one that ends otherwise already: what was decided
        twice, and otherwise the second time, has the end that came here first.
        """
        if isinstance(event.data, DeliveryExpired):
            return self._take_down(event.data)
        if self._objects.info(keys.cancelled(event.correlationid)) is not None:
            log.info("request_is_cancelled")
            return []
        if isinstance(event.data, _End) and not may_end(self._objects, event.data.request.request_id, event.id):
            log.warning("request_ended_otherwise")
            return []
        match event.data:
            case ReleaseGranted() as granted:
                return self._deliver(event, granted)
            case RequestRefused() as refused:
                return self._tell(
                    event, refused.request, MailKind.REFUSED, lambda: self._writer.refused(event, refused)
                )
            case TicketRefused() as whole:
                return self._tell(
                    event, whole.request, MailKind.REFUSED, lambda: self._writer.ticket_refused(event, whole)
                )
            case ReleaseWithheld() as kept:
                return self._tell(event, kept.request, MailKind.WITHHELD, lambda: self._writer.withheld(event, kept))
            case RequestFailed() as failed:
                return self._tell(event, failed.request, MailKind.FAILED, lambda: self._failure_mail(event, failed))
            case DeliveryExpiring() as expiring:
                request = expiring.request
                return self._mail(event, request, MailKind.EXPIRING, lambda: self._writer.expiring(event, expiring))
            case MousRestorable() as now:
                return self._mail(event, now.request, MailKind.RESTORABLE, lambda: self._writer.restorable(event, now))
            case other:
                raise TypeError(f"the notifier does not handle {other.type_name()}")

    def _deliver(self, event: Event, granted: ReleaseGranted) -> list[Event]:
        request, blocks = granted.request, granted.blocks
        record = self._addresses.of(request.request_id)
        self._lay_out(record, granted)
        told = self._tell(
            event, request, MailKind.DELIVERED, lambda: self._writer.delivered(event, request, record, blocks)
        )
        announced = DeliveryAnnounced(
            request=request,
            address=record.address,
            files=tuple(
                DeliveredFile(name=file.name, size=file.ref.size, sha256=file.ref.sha256) for file in files_of(blocks)
            ),
            expires=record.expires,
            reused=all(block.reused for block in blocks),
        )
        return [event.derive(announced, source=source_of(self.name)), *told]

    def _lay_out(self, record: DeliveryRecord, granted: ReleaseGranted) -> None:
        files = files_of(granted.blocks)
        blocks = trace_blocks(granted.blocks, self._objects)
        texts = {
            SUMS: write_sums(files),
            README: write_readme(granted.request, record, blocks),
            PROVENANCE: write_provenance(granted.request, record, blocks, self._objects),
        }
        self._shelf.lay_out(record, granted.request, files, texts, entitlement=granted.entitlement)
        if self._area is not None:
            self._area.lay_out(record.token, files, texts)

    def _take_down(self, expired: DeliveryExpired) -> list[Event]:
        record = self._addresses.find(expired.request_id)
        if self._area is not None and record is not None:
            self._area.take_down(record.token)
        return []

    def _failure_mail(self, event: Event, failed: RequestFailed) -> Mail:
        notes = attach_logs(failed.failures, objects=self._objects, limits=self._limits)
        return self._writer.failed(event, failed, notes)

    def _tell(
        self, event: Event, request: RestoreRequest | RestoreTicket, kind: MailKind, write: Callable[[], Mail]
    ) -> list[Event]:
        """Send the mail that ends a request, mark the end, and say what mails went out."""
        sent = self._mail(event, request, kind, write)
        end = RequestEnd(kind=kind, mail_id=event.id, ended=self._clock())
        mark_end(self._objects, request.request_id, end)
        return sent

    def _mail(
        self, event: Event, request: RestoreRequest | RestoreTicket, kind: MailKind, write: Callable[[], Mail]
    ) -> list[Event]:
        """Send a mail, tell support who will never get it, and say what mails went out."""
        record = self._outbox.post(event.id, write, kind=kind)
        sent = [self._sent(event, request, kind, event.id, record)]
        if record.refused:
            notice = self._tell_support(event, request, record, write)
            sent.append(self._sent(event, request, MailKind.UNDELIVERED, undelivered_id(event), notice))
        return sent

    def _tell_support(
        self, event: Event, request: RestoreRequest | RestoreTicket, record: MailRecord, write: Callable[[], Mail]
    ) -> MailRecord:
        """Tell support who was refused for good, and what they should have read.

        Raises
        ------
        MailRefusedError
            If nobody at all has a mail: then a person has to look at the event's dead letter.
        """
        notice_id: UUID = undelivered_id(event)
        notice = self._outbox.post(
            notice_id, lambda: self._writer.undelivered(event, request, record, write()), kind=MailKind.UNDELIVERED
        )
        if not notice.sent_to and not record.sent_to:
            self._outbox.forget(event.id)
            self._outbox.forget(notice_id)
            raise MailRefusedError(f"nobody can be written to, not even support: {record.refused} {notice.refused}")
        if not notice.sent_to:
            log.error("support_cannot_be_told", refused=record.refused, cause=notice.refused)
        return notice

    def _sent(
        self, event: Event, request: RestoreRequest | RestoreTicket, kind: MailKind, mail_id: UUID, record: MailRecord
    ) -> Event:
        sent = MailSent(
            request_id=request.request_id,
            mous_uid=request.mous_uid if isinstance(request, RestoreRequest) else None,
            kind=kind,
            mail_id=mail_id,
            recipients=len(record.sent_to),
            refused=len(record.refused),
        )
        return event.derive(sent, source=source_of(self.name), key=kind)

    def is_ready(self) -> bool:
        """Whether deliveries can be laid out and mails handed over."""
        return (self._area is None or self._area.is_ready()) and self._transport.is_ready()

    def close(self) -> None:
        """Do nothing: no connection is held."""


def _now() -> datetime:
    return datetime.now(UTC)


def build(*, objects: ObjectStore, settings: NotifierSettings | None = None, clock: Clock = _now) -> Notifier:
    """Make the service with the adapters that its settings name.

    Parameters
    ----------
    objects
        The object store.
    settings
        From the environment if None.
    clock
        Tells the time, UTC.
    """
    settings = settings or NotifierSettings()
    folder = settings.deliveries
    return Notifier(
        settings=settings,
        objects=objects,
        area=DirectoryArea(root=folder, objects=objects) if folder is not None else None,
        transport=open_transport(settings.mail),
        addresses=Addresses(
            objects=objects,
            public_url=settings.public_url,
            retention=timedelta(days=settings.retention_days),
            clock=clock,
        ),
        clock=clock,
    )

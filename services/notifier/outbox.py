"""One mail per thing said, however often an event is delivered."""

import os
import socket
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from pydantic import BaseModel, ConfigDict

from contracts.messages.parts import MailKind
from services.notifier.mail import Mail
from services.notifier.metrics import MailMetrics
from services.notifier.transport import Handover, MailRefusedError, MailServerAwayError, MailTransport
from shared import keys, tracing
from shared.objects import ObjectStore
from shared.objects.lease import Leases

log = structlog.get_logger()


class MailRecord(BaseModel):
    """What the store remembers of a mail that went out.

    Attributes
    ----------
    sent_to
        Recipients that the mail was taken for.
    refused
        Recipients that will never be taken, with the server's words or ours.
    deferred
        Recipients that are still to be tried.
    """

    model_config = ConfigDict(frozen=True)

    message_id: str
    sent_at: datetime
    sent_to: tuple[str, ...]
    refused: dict[str, str] = {}
    deferred: dict[str, str] = {}


class Outbox:
    """Looks whether a mail went out, sends it, and records that it did.

    Of several who hold the same event at one moment one sends; the others come again
    and find the record. One window remains: where the process is killed after the other side
    took a mail and before the record is stored (in `post`, between ``_send`` and
    ``_remember``), or the connection breaks before the answer, or the store is away then, the
    mail is sent once more when its event comes again. Such a mail has the same Message-ID, by
    which mail programs and helpdesks know it again. The directory transport has no such window.

    Parameters
    ----------
    objects
        Holds the records.
    transport
        Sends.
    clock
        Tells the time, UTC.
    metrics
        Counts what becomes of mails.
    patience
        How long a sender that died keeps others from sending.
    """

    def __init__(
        self,
        *,
        objects: ObjectStore,
        transport: MailTransport,
        clock: Callable[[], datetime],
        metrics: MailMetrics,
        patience: timedelta = timedelta(seconds=30),
    ) -> None:
        self._objects = objects
        self._transport = transport
        self._clock = clock
        self._patience = patience
        self._metrics = metrics
        self._leases = Leases(objects=objects)
        self._owner = f"notifier at {socket.gethostname()}, process {os.getpid()}"

    def post(self, mail_id: UUID, write: Callable[[], Mail], *, kind: MailKind) -> MailRecord:
        """Send a mail unless it went out before; who was deferred then is tried again.

        Parameters
        ----------
        mail_id
            Identifies what is said.
        write
            Writes the mail; only called if it is needed.
        kind
            What it tells.

        Raises
        ------
        MailServerAwayError
            If a recipient has to be tried later.
        LeaseHeldError
            If another is sending it at this moment.
        """
        if (done := self._finished(mail_id)) is not None:
            return done
        with self._leases.held(keys.mail(mail_id), owner=self._owner, ttl=self._patience):
            return self._finished(mail_id) or self._send_and_remember(mail_id, write, kind)

    def _finished(self, mail_id: UUID) -> MailRecord | None:
        """Return the record of a mail that has nothing left to be done."""
        record = self._record(mail_id)
        if record is None or record.deferred:
            return None
        log.info("mail_already_sent", message_id_header=record.message_id)
        return record

    def _send_and_remember(self, mail_id: UUID, write: Callable[[], Mail], kind: MailKind) -> MailRecord:
        before, mail = self._record(mail_id), write()
        if before is not None:
            mail = mail.only_to(before.deferred)
        handover = self._send(mail)
        self._metrics.posted(
            kind,
            sent=len(tuple(_taken(mail, handover))),
            refused=len(handover.refused),
            deferred=len(handover.deferred),
        )
        return self._remember(mail, handover, before)

    def forget(self, mail_id: UUID) -> None:
        """Forget a mail that nobody got, so that it is tried again when its event is."""
        self._objects.delete(keys.mail(mail_id))

    def _send(self, mail: Mail) -> Handover:
        """Send; that every recipient is refused for good is an answer like others."""
        try:
            with tracing.calling("mail", {"alma_restore.mail.recipients": len(mail.recipients)}):
                return self._transport.send(mail)
        except MailRefusedError as error:
            return Handover(refused=dict.fromkeys(mail.recipients, str(error)))

    def _record(self, mail_id: UUID) -> MailRecord | None:
        key = keys.mail(mail_id)
        if self._objects.info(key) is None:
            return None
        return MailRecord.model_validate_json(self._objects.get(key))

    def _remember(self, mail: Mail, handover: Handover, before: MailRecord | None) -> MailRecord:
        record = MailRecord(
            message_id=str(mail.message["Message-ID"]),
            sent_at=self._clock(),
            sent_to=(*(before.sent_to if before else ()), *_taken(mail, handover)),
            refused={**(before.refused if before else {}), **mail.left_out, **handover.refused},
            deferred=dict(handover.deferred),
        )
        self._objects.put_bytes(keys.mail(mail.mail_id), record.model_dump_json().encode())
        log.info("mail_sent", message_id_header=record.message_id, recipients=len(record.sent_to))
        for one, words in handover.refused.items():
            log.warning("mail_recipient_refused", recipient=one, answer=words)
        if record.deferred:
            raise MailServerAwayError(f"recipients to be tried again: {record.deferred}")
        return record


def _taken(mail: Mail, handover: Handover) -> Iterable[str]:
    return (one for one in mail.recipients if one not in handover.refused and one not in handover.deferred)

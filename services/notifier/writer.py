"""The mails of a request's end, worded as the procedure for calibrated data words them."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from contracts.envelope import Event
from contracts.messages import (
    DeliveryExpiring,
    MousRestorable,
    ReleaseWithheld,
    RequestFailed,
    RequestRefused,
    TicketRefused,
)
from contracts.messages.parts import RestoredBlock, RestoreRequest, RestoreTicket
from contracts.reasons import REASONS, ReasonCode
from services.notifier.addresses import DeliveryRecord
from services.notifier.attachments import LogNote
from services.notifier.mail import Draft, Mail, request_mail_id, unwritable, write_mail
from services.notifier.outbox import MailRecord
from services.notifier.texts import as_html, render
from shared.request_text import one_line, write_request_text, write_ticket_text

_TO_BE_CORRECTED = {ReasonCode.INVALID_MOUS_UID, ReasonCode.MOUS_OF_OTHER_PROJECT, ReasonCode.UNKNOWN_USER}
"""After these the procedure asks for a new request without the history of mails."""


_ASKED_WRONGLY = frozenset({ReasonCode.FIELD_NOT_FOUND, ReasonCode.FIELD_IS_SCIENCE, ReasonCode.SELECTION_NOT_FOUND})
"""Reasons that the person who asked can mend."""


@dataclass(frozen=True, kw_only=True)
class Correspondents:
    """Who writes, who is written to, and how mails are signed; all from the settings."""

    sender: str
    no_reply: str
    support: str
    operations: str
    message_id_domain: str
    signature: str


def undelivered_id(event: Event) -> UUID:
    """Return the id of the mail which says that another one did not reach everybody."""
    return uuid5(event.id, "undelivered")


class MailWriter:
    """Writes each kind of mail.

    Parameters
    ----------
    people
        Addresses and signature.
    clock
        Tells the time, UTC.
    """

    def __init__(self, *, people: Correspondents, clock: Callable[[], datetime]) -> None:
        self._people = people
        self._clock = clock

    def delivered(
        self, event: Event, request: RestoreRequest, record: DeliveryRecord, blocks: Sequence[RestoredBlock]
    ) -> Mail:
        """Tell the user where the data is; contact, support and operations get blind copies."""
        people = self._people
        contact = [request.contact_email] if request.contact_email else []
        return self._write(
            event.id,
            request,
            "delivered.txt.j2",
            to=[request.user_email],
            bcc=[*contact, *request.cc, people.support, people.operations],
            reply_to=people.no_reply,
            record=record,
            blocks=blocks,
            notes=list(dict.fromkeys(block.casa_note for block in blocks if block.casa_note)),
            reused=[block for block in blocks if block.reused],
            total=sum(block.tar.size for block in blocks),
            days=self._days_until(record.expires),
            signature=people.signature,
        )

    def expiring(self, event: Event, expiring: DeliveryExpiring) -> Mail:
        """Remind the user, and the contact by a blind copy, that a delivery will be removed."""
        people, request = self._people, expiring.request
        return self._write(
            event.id,
            request,
            "expiring.txt.j2",
            to=[request.user_email],
            bcc=[*([request.contact_email] if request.contact_email else []), *request.cc],
            reply_to=people.no_reply,
            address=expiring.address,
            expires=expiring.expires,
            files=expiring.files,
            total=sum(file.size for file in expiring.files),
            days=self._days_until(expiring.expires),
            signature=people.signature,
        )

    def restorable(self, event: Event, now: MousRestorable) -> Mail:
        """Tell the user that what was asked for too early can be asked for again; others get blind copies."""
        people, request = self._people, now.request
        return self._write(
            event.id,
            request,
            "restorable.txt.j2",
            to=[request.user_email],
            bcc=[*([request.contact_email] if request.contact_email else []), *request.cc, people.operations],
            reply_to=people.no_reply,
            since=now.since,
            signature=people.signature,
        )

    def refused(self, event: Event, refusal: RequestRefused) -> Mail:
        """Reply to the contact with the reason above the quoted request."""
        return self._reply(event, refusal, "refused.txt.j2")

    def ticket_refused(self, event: Event, refusal: TicketRefused) -> Mail:
        """Reply to the contact that the whole ticket is refused, with the reason above the quoted ticket."""
        return self._reply(event, refusal, "ticket_refused.txt.j2")

    def withheld(self, event: Event, withheld: ReleaseWithheld) -> Mail:
        """Reply to the contact that the data was made but may not be delivered any more."""
        return self._reply(event, withheld, "withheld.txt.j2")

    def failed(self, event: Event, failed: RequestFailed, notes: Sequence[LogNote]) -> Mail:
        """Tell support what failed, with the logs; ``notes`` are in the order of the failures."""
        people, request = self._people, failed.request
        reasons = list(dict.fromkeys(failure.reason for failure in failed.failures))
        asked_wrongly = not _ASKED_WRONGLY.isdisjoint(reasons) and request.contact_email is not None
        return self._write(
            event.id,
            request,
            "failed.txt.j2",
            to=[people.support],
            cc=[people.operations, *([request.contact_email] if asked_wrongly and request.contact_email else [])],
            reply_to=people.operations,
            subject=f"FAILED: {_subject(request)}",
            reasons=reasons,
            attachments=[note.attachment for note in notes if note.attachment is not None],
            failures=list(zip(failed.failures, notes, strict=True)),
            restored=failed.restored,
            meaning=REASONS,
            users=list(dict.fromkeys(REASONS[reason].user for reason in reasons)),
        )

    def undelivered(
        self, event: Event, request: RestoreRequest | RestoreTicket, record: MailRecord, lost: Mail
    ) -> Mail:
        """Tell support that recipients of a mail were refused for good, and what it says."""
        text = lost.message.get_body(("plain",))
        assert text is not None, "every mail is written with a plain part"
        return self._write(
            undelivered_id(event),
            request,
            "undelivered.txt.j2",
            to=[self._people.support],
            reply_to=self._people.operations,
            subject=f"UNDELIVERED: {_subject(request)}",
            record=record,
            lost_subject=one_line(str(lost.message["Subject"])),
            lost=re.sub(r"^> ?", "", text.get_content(), flags=re.MULTILINE),
        )

    def _days_until(self, moment: datetime) -> int:
        return max(0, round((moment - self._clock()) / timedelta(days=1)))

    def _reply(self, event: Event, refusal: RequestRefused | ReleaseWithheld | TicketRefused, template: str) -> Mail:
        people, request = self._people, refusal.request
        to = [request.contact_email] if request.contact_email else [people.support, people.operations]
        # Of Cycle 0 the contact reminds the user, and nobody else is bothered.
        is_cycle_0 = refusal.reason is ReasonCode.CYCLE_0
        return self._write(
            event.id,
            request,
            template,
            to=[request.contact_email or request.user_email] if is_cycle_0 else to,
            cc=() if is_cycle_0 else request.cc,
            reply_to=people.operations,
            reasons=[refusal.reason],
            reason=REASONS[refusal.reason],
            code=refusal.reason,
            detail=refusal.detail,
            to_be_corrected=refusal.reason in _TO_BE_CORRECTED,
        )

    def _write(
        self,
        mail_id: UUID,
        request: RestoreRequest | RestoreTicket,
        template: str,
        *,
        to: Sequence[str],
        reply_to: str,
        cc: Sequence[str] = (),
        bcc: Sequence[str] = (),
        subject: str = "",
        reasons: Sequence[ReasonCode] = (),
        attachments: Sequence[Any] = (),
        **values: Any,
    ) -> Mail:
        headers = {"X-ALMA-Restore-Request": str(request.request_id)}
        if reasons:
            headers["X-ALMA-Restore-Reason"] = ", ".join(reasons)
        people = self._people
        left_out = unwritable((*to, *cc, *bcc))
        body = render(template, request=request, quoted=_quoted(request), **values)
        draft = Draft(
            to=_without(to, left_out) or [people.support],
            cc=_without(cc, left_out),
            bcc=_without(bcc, left_out),
            reply_to=reply_to,
            subject=subject or f"Re: {_subject(request)}",
            body=body,
            html=as_html(body),
            headers=headers,
            answers=request_mail_id(request.request_id),
            attachments=attachments,
        )
        mail = write_mail(
            draft, mail_id=mail_id, sender=people.sender, domain=people.message_id_domain, date=self._clock()
        )
        return replace(mail, left_out=left_out)


def _without(addresses: Sequence[str], left_out: Mapping[str, str]) -> list[str]:
    return [one for one in addresses if one not in left_out]


def _quoted(request: RestoreRequest | RestoreTicket) -> str:
    return write_request_text(request) if isinstance(request, RestoreRequest) else write_ticket_text(request)


def _subject(request: RestoreRequest | RestoreTicket) -> str:
    mous = f" MOUS {request.mous_uid.file_form}" if isinstance(request, RestoreRequest) else ""
    return f"ALMA: REQUEST FOR CALIBRATED DATA{mous}, helpdesk ticket {one_line(request.ticket)}"

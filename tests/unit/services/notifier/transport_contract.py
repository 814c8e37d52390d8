"""What every way of sending mails has to do; each transport's tests inherit this."""

from datetime import timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as default_policy
from uuid import UUID

from services.notifier.mail import Attachment, Draft, Mail, write_mail
from services.notifier.transport import MailTransport
from tests.unit.services.notifier.samples import EVENT_ID, NOW

RECIPIENTS = ("vera@example.org", "contact@example.org", "support@example.org")


def a_mail(
    *, mail_id: UUID = EVENT_ID, body: str = "Your data is at\nhttp://example.org/x\n", minutes: int = 0
) -> Mail:
    """Write a mail to a user with blind copies and an attachment."""
    draft = Draft(
        to=RECIPIENTS[:1],
        bcc=RECIPIENTS[1:],
        subject="Re: your data",
        body=body,
        reply_to="no-reply@example.org",
        headers={"X-ALMA-Restore-Reason": "not_entitled"},
        attachments=[Attachment(name="casa.log", data=b"line\n.\nend\n")],
    )
    date = NOW + timedelta(minutes=minutes)
    return write_mail(draft, mail_id=mail_id, sender="alma@example.org", domain="restore.example.org", date=date)


class MailTransportContract:
    """Subclasses give the transport and read back what arrived."""

    def transport(self) -> MailTransport:
        """Make the transport under test."""
        raise NotImplementedError

    def arrived(self) -> list[bytes]:
        """Return every mail that arrived, in any order."""
        raise NotImplementedError

    def test_a_mail_arrives_whole_with_its_message_id(self) -> None:
        handover = self.transport().send(a_mail())
        assert (dict(handover.refused), dict(handover.deferred)) == ({}, {})
        (data,) = self.arrived()
        assert f"Message-ID: <{EVENT_ID}@restore.example.org>".encode() in data
        assert b"http://example.org/x\r\n" in data

    def test_text_of_any_script_and_lines_of_dots_arrive_unchanged(self) -> None:
        body = "Für Zoë in Ñuñoa\n.\n..\nFrom here on\n" + "x" * 2000 + "\n"
        self.transport().send(a_mail(body=body))
        (data,) = self.arrived()
        part = parsed(data).get_body()
        assert part is not None
        assert part.get_content().replace("\r\n", "\n") == body
        (attachment,) = parsed(data).iter_attachments()
        assert attachment.get_payload(decode=True) == b"line\n.\nend\n"

    def test_a_transport_sends_mail_after_mail(self) -> None:
        transport = self.transport()
        for number in (1, 2, 3):
            transport.send(a_mail(mail_id=UUID(int=number)))
        assert len(self.arrived()) == 3

    def test_it_is_ready(self) -> None:
        assert self.transport().is_ready()


def parsed(data: bytes) -> EmailMessage:
    """Read a mail back by the standard library."""
    return message_from_bytes(data, policy=default_policy)

"""The mail server of a run: keeps each mail once, and counts each time that it is handed over."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.support.mail_server import OK, Mailbox


@dataclass(frozen=True)
class Sent:
    """A mail was handed over, whole, at a moment; who sent it may not have lived to read the answer."""

    message_id: str
    at: datetime


@dataclass(kw_only=True)
class Postbox(Mailbox):
    """Takes every mail.

    Attributes
    ----------
    folder
        Where the mails go, one file for each Message-ID.
    sent
        Each handing over, in order.
    """

    folder: Path
    sent: list[Sent] = field(default_factory=list)

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802  # aiosmtpd looks for this name
        """Keep the mail, count it, and say so."""
        content = envelope.content
        assert isinstance(content, bytes)
        message_id = str(message_from_bytes(content, policy=default)["Message-ID"]).strip()
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / f"{message_id.strip('<>')}.eml").write_bytes(content)
        self.sent.append(Sent(message_id, datetime.now(UTC)))
        return OK

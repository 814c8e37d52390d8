"""Read the mails that the demonstration sent, and say whether each request got exactly its one."""

from collections import defaultdict
from dataclasses import dataclass
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from uuid import UUID

from alma_restore.demo.house import SUPPORT
from alma_restore.demo.scenario import CONTACT, Asked
from alma_restore.progress import RequestState

_REQUEST_HEADER = "X-ALMA-Restore-Request"
_REASON_HEADER = "X-ALMA-Restore-Reason"


@dataclass(frozen=True)
class SentMail:
    """A mail that went out."""

    path: Path
    message: EmailMessage

    @property
    def request_id(self) -> UUID:
        """The request that the mail is about."""
        return UUID(str(self.message[_REQUEST_HEADER]))

    @property
    def to(self) -> str:
        """Its first recipient."""
        return str(self.message["To"]).lower()


def read_mails(folder: Path) -> dict[UUID, list[SentMail]]:
    """Read all mails of a folder, by the request that they are about."""
    found: dict[UUID, list[SentMail]] = defaultdict(list)
    for path in sorted(folder.glob("*.eml")):
        message = BytesParser(EmailMessage, policy=policy.default).parsebytes(path.read_bytes())
        mail = SentMail(path, message)
        found[mail.request_id].append(mail)
    return found


def mail_differences(asked: Asked, mails: list[SentMail]) -> list[str]:
    """Say what is not right with a request's mails: one is right, to the right person, with the right reason."""
    if len(mails) != 1:
        return [f"mails: {len(mails)} instead of 1"]
    (mail,) = mails
    recipient = {
        RequestState.DELIVERED: asked.request.user_email,
        RequestState.FAILED: SUPPORT,
    }.get(asked.expected.state, CONTACT)
    reason = asked.expected.reason.value if asked.expected.reason else None
    found = {
        "mail to": (recipient.lower(), mail.to),
        "mail's reason": (reason, mail.message[_REASON_HEADER]),
    }
    return [f"{name}: {got} instead of {want}" for name, (want, got) in found.items() if got != want]

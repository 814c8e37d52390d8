"""A mail server on loopback that answers as a test says, and the transport that talks to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from services.notifier.settings import SmtpSettings
from services.notifier.smtp import SmtpTransport
from tests.support.ports import free_ports

OK = "250 OK"


@dataclass
class Mailbox:
    """What a mail server took, and what it answers instead if the test says so."""

    recipients: dict[str, str] = field(default_factory=dict)
    sender: str = OK
    data: str = OK
    taken: list[Envelope] = field(default_factory=list)

    async def handle_MAIL(  # noqa: N802  aiosmtpd calls it so
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return self.sender

    async def handle_RCPT(  # noqa: N802  aiosmtpd calls it so
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        answer = self.recipients.get(address, OK)
        if answer == OK:
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802  # aiosmtpd looks for this name
        if self.data == OK:
            self.taken.append(envelope)
        return self.data


@contextmanager
def serving(mailbox: Mailbox, **options: Any) -> Iterator[int]:
    """Run a mail server on loopback and give its port."""
    (port,) = free_ports(1)
    controller = Controller(mailbox, hostname="127.0.0.1", port=port, **options)
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


def transport(port: int, **options: object) -> SmtpTransport:
    settings = {"host": "127.0.0.1", "port": port, "security": "none", "timeout_seconds": 5} | options
    return SmtpTransport(settings=SmtpSettings.model_validate(settings))

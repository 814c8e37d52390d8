"""What every way of sending mails promises."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from services.notifier.mail import Mail
from shared.errors import DependencyAwayError, RestoreError


class MailServerAwayError(DependencyAwayError):
    """The mail server cannot take mails right now; nothing was sent."""

    code = "mail_server_away"


class MailRefusedError(RestoreError):
    """The mail server will never take this mail for any recipient; support is told instead."""

    code = "mail_refused"


@dataclass(frozen=True, kw_only=True)
class Handover:
    """What the other side said about a mail that it took for at least one recipient.

    Attributes
    ----------
    refused
        Recipients that it will never take, with its words.
    deferred
        Recipients that it may take later, with its words.
    """

    refused: Mapping[str, str] = field(default_factory=dict)
    deferred: Mapping[str, str] = field(default_factory=dict)


class MailTransport(Protocol):
    """Hands mails over for delivery."""

    def send(self, mail: Mail) -> Handover:
        """Hand a mail over for its recipients; those that are neither refused nor deferred have it.

        Raises
        ------
        MailServerAwayError
            If no recipient has it, and a later try may succeed.
        MailRefusedError
            If no recipient has it, and none ever will.
        """

    def is_ready(self) -> bool:
        """Whether mails can be handed over right now."""

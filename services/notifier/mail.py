"""A mail: its headers and text, and the envelope that says who gets it."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address, HeaderRegistry, MessageIDHeader
from email.message import EmailMessage
from email.policy import SMTP
from functools import cache
from typing import Self
from uuid import UUID, uuid5

from shared.errors import RestoreError
from shared.request_text import one_line

_LONGEST_LINE = 998
"""Octets that RFC 5322 allows in a line, without its end."""


class UnwritableMailError(RestoreError):
    """A mail's address cannot stand in a header; the event has to be corrected by a person."""

    code = "unwritable_mail"


@dataclass(frozen=True, kw_only=True)
class Attachment:
    """A file in a mail: plain text, or compressed by gzip."""

    name: str
    data: bytes
    compressed: bool = False


@dataclass(frozen=True, kw_only=True)
class Draft:
    """What a mail is to say, to whom; addresses may repeat, the first place counts.

    Attributes
    ----------
    to, cc, bcc
        Addresses; those in ``bcc`` stand in the envelope only.
    body, html
        The same text twice, plain and as HTML; no HTML part if that is empty.
    headers
        Further headers, one line each.
    answers
        Id of the mail that this one answers, by which mail programs show the two together.
    """

    to: Sequence[str]
    subject: str
    body: str
    html: str = ""
    cc: Sequence[str] = ()
    bcc: Sequence[str] = ()
    reply_to: str
    headers: Mapping[str, str]
    answers: UUID | None = None
    attachments: Sequence[Attachment] = ()


@dataclass(frozen=True, kw_only=True)
class Mail:
    """A mail that can be handed over.

    Attributes
    ----------
    mail_id
        Identifies what is said: the same thing said twice has the same id, and so the same Message-ID.
    message
        Headers, among them ``Bcc``, and content. A transport to the outside removes ``Bcc``.
    sender
        Envelope sender.
    recipients
        Envelope recipients, each once.
    left_out
        Who should get it but has no address that can be written to, and why.
    """

    mail_id: UUID
    message: EmailMessage
    sender: str
    recipients: tuple[str, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_international(self) -> bool:
        """Whether an address has letters beyond ASCII, which not every server takes."""
        return _beyond_ascii((self.sender, *self.recipients))

    def only_to(self, recipients: Iterable[str]) -> Self:
        """Return the same mail for some of its recipients."""
        wanted = set(recipients)
        return replace(self, recipients=tuple(one for one in self.recipients if one in wanted))


def request_mail_id(request_id: UUID) -> UUID:
    """Return the id of the mail that asks for a request, whether one was sent or not.

    What is said of a request answers that mail: so all mails about it stand together.
    """
    return uuid5(request_id, "request-mail")


def write_mail(draft: Draft, *, mail_id: UUID, sender: str, domain: str, date: datetime) -> Mail:
    """Make a mail of a draft.

    Parameters
    ----------
    draft
        What it says.
    mail_id
        Identifies what is said; left side of the Message-ID.
    sender
        Address in ``From`` and in the envelope.
    domain
        Right side of the Message-ID, and of that of the mail that is answered.
    date
        When it is written.

    Raises
    ------
    UnwritableMailError
        If an address cannot stand in a header.
    """
    to, cc, bcc = _each_once(draft.to, draft.cc, draft.bcc)
    recipients = (*to, *cc, *bcc)
    message = EmailMessage(policy=SMTP.clone(utf8=_beyond_ascii((sender, *recipients)), header_factory=_header_types()))
    message["From"] = _addresses([sender])
    message["Reply-To"] = _addresses([draft.reply_to])
    for name, found in (("To", to), ("Cc", cc), ("Bcc", bcc)):
        if found:
            message[name] = _addresses(found)
    message["Subject"] = one_line(draft.subject)
    message["Date"] = date
    message["Message-ID"] = f"<{mail_id}@{domain}>"
    if draft.answers is not None:
        message["In-Reply-To"] = message["References"] = f"<{draft.answers}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    for name, value in draft.headers.items():
        message[name] = one_line(value)
    message.set_content(draft.body, cte=_encoding(draft.body))
    if draft.html:
        message.add_alternative(draft.html, subtype="html", cte=_encoding(draft.html))
    for attachment in draft.attachments:
        _attach(message, attachment)
    _name_boundaries(message, mail_id)
    return Mail(mail_id=mail_id, message=message, sender=sender, recipients=recipients)


@cache
def _header_types() -> HeaderRegistry:
    """Have references written as ids: as plain text a long one would be encoded, and refer to nothing."""
    types = HeaderRegistry()
    for name in ("in-reply-to", "references"):
        types.map_to_type(name, MessageIDHeader)  # type: ignore[arg-type]  # typeshed: as if types were no mixins
    return types


def _beyond_ascii(texts: Iterable[str]) -> bool:
    return not all(text.isascii() for text in texts)


def _each_once(*groups: Sequence[str]) -> list[list[str]]:
    """Drop addresses that stood before, in whatever case."""
    seen: set[str] = set()
    kept: list[list[str]] = []
    for group in groups:
        kept.append([])
        for one in group:
            if one.casefold() not in seen:
                seen.add(one.casefold())
                kept[-1].append(one)
    return kept


def unwritable(texts: Iterable[str]) -> dict[str, str]:
    """Tell which texts are no addresses that a mail could go to, and why."""
    found = {}
    for text in texts:
        try:
            _addresses([text])
        except UnwritableMailError as error:
            found[text] = str(error)
    return found


def _addresses(texts: Iterable[str]) -> list[Address]:
    """Read each text as one address, so that none can smuggle in another or a header."""
    try:
        return [_address(text) for text in texts]
    except (ValueError, IndexError, MessageError) as error:  # IndexError: how the parser says "nothing there"
        raise UnwritableMailError(f"one of {list(texts)} is not an e-mail address: {error}") from error


def _address(text: str) -> Address:
    """Read one address; the standard library's parser knows no letters beyond ASCII, but their places."""
    address = Address(addr_spec=re.sub(r"[^\x00-\x7f]", "x", text))
    if text.isascii():
        return address
    username, _, domain = text.rpartition("@")
    return Address(username=username, domain=domain)


def _encoding(body: str) -> str:
    """Choose the encoding that leaves links unbroken in the raw text wherever that is allowed."""
    plain = body.isascii() and all(len(line) <= _LONGEST_LINE for line in body.splitlines())
    return "7bit" if plain else "quoted-printable"


def _name_boundaries(message: EmailMessage, mail_id: UUID) -> None:
    """Make boundaries of what is said, so that the same thing said twice is the same mail."""
    for number, part in enumerate(part for part in message.walk() if part.is_multipart()):
        part.set_boundary(f"=_{mail_id.hex}_{number}")


def _attach(message: EmailMessage, attachment: Attachment) -> None:
    if attachment.compressed:
        message.add_attachment(
            attachment.data, maintype="application", subtype="gzip", filename=f"{attachment.name}.gz"
        )
    else:
        message.add_attachment(
            attachment.data,
            maintype="text",
            subtype="plain",
            cte="base64",
            filename=attachment.name,
            params={"charset": "utf-8"},
        )

"""What the deliveries promise to those who show them, serve them and keep them.

A delivery is known by its *token*: 128 random bits, the last part of its address. Who knows the
token may fetch, as the procedure has it; who may renew or keep is for the caller to check.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Protocol
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from contracts.identifiers import MousUid, ProjectCode
from contracts.messages.parts import DeliveredFile, ObjectRef
from contracts.reasons import ReasonCode
from shared.errors import RestoreError


class DeliveryError(RestoreError):
    """A delivery cannot be given as it was asked for; ``status`` is what HTTP calls it."""

    code = "delivery_refused"
    status: ClassVar[int] = 400
    title: ClassVar[str] = "This cannot be fetched"


class DeliveryUnknownError(DeliveryError):
    """There is no such delivery, or no such file in it: nobody is told which."""

    code = "delivery_unknown"
    status = 404
    title = "There is nothing here"


class DeliveryExpiredError(DeliveryError):
    """The delivery's time is over."""

    code = "delivery_expired"
    status = 410
    title = "This delivery has expired"


class DeliveryLostError(DeliveryError):
    """A file of an open delivery is not in the store any more: somebody removed it from there by hand."""

    code = "delivery_lost"
    status = 410
    title = "This file has been lost"


class DeliveryWithheldError(DeliveryError):
    """The data may not be handed out at present.

    Parameters
    ----------
    reason
        Why, as the contract names it.
    detail
        The sentence for who asked.
    """

    code = "delivery_withheld"
    status = 403
    title = "This data may not be handed out at present"

    def __init__(self, reason: ReasonCode, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class RenewalRefusedError(DeliveryError):
    """The delivery cannot be kept for so long, or is removed already."""

    code = "renewal_refused"
    status = 409
    title = "This delivery cannot be renewed"


class DeliveryPhase(StrEnum):
    """Where a delivery is in its life."""

    OPEN = "open"
    EXPIRED = "expired"
    """Nothing can be fetched any more; until its data are removed it can still be renewed."""
    REMOVED = "removed"


class FileView(BaseModel):
    """A file of a delivery as a page shows it."""

    model_config = ConfigDict(frozen=True)

    name: str
    size: int = Field(description="Bytes")
    sha256: str
    url: str = Field(description="Address that stays the same as long as the delivery is open")
    is_data: bool = Field(description="A tar with data; else a text that accompanies them")


class Commands(BaseModel):
    """Command lines that fetch all files of a delivery, and go on after a break when given again."""

    model_config = ConfigDict(frozen=True)

    wget: str
    curl: str
    aria2: str
    check: str = "sha256sum -c SHA256SUMS"


class DeliveryView(BaseModel):
    """A delivery as a page shows it.

    Attributes
    ----------
    expires
        Until when it is open; nothing is removed while ``kept``.
    latest
        Until when it can be renewed at most.
    kept
        Who has set ``.donotremove``, if anybody has.
    removed
        When its data were removed from here, if they were.
    """

    model_config = ConfigDict(frozen=True)

    token: str
    request_id: UUID
    mous_uid: MousUid
    project_code: ProjectCode
    address: str
    phase: DeliveryPhase
    created: datetime
    expires: datetime
    latest: datetime
    renewals: int = 0
    kept: str | None = None
    removed: datetime | None = None
    files: tuple[FileView, ...] = ()
    commands: Commands | None = Field(default=None, description="None unless it is open")

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    @property
    def delivered(self) -> tuple[DeliveredFile, ...]:
        """The files as events tell them."""
        return tuple(DeliveredFile(name=file.name, size=file.size, sha256=file.sha256) for file in self.files)


@dataclass(frozen=True, kw_only=True)
class Asker:
    """Who fetches: account or address if somebody is signed in, and the client's address; for the ledger."""

    account: str | None = None
    client: str | None = None


@dataclass(frozen=True)
class ByteRange:
    """A part of a file: the first byte, and how many."""

    offset: int
    length: int


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A file that may be fetched now: expiry and release have just been looked at.

    Attributes
    ----------
    ref
        The bytes in the store.
    is_linked
        Whether the bytes come from the object store itself, by a link, and not from here.
    expires
        When the delivery ends; None while it is kept.
    """

    request_id: UUID
    file: FileView
    ref: ObjectRef
    is_linked: bool
    expires: datetime | None


@dataclass(frozen=True, kw_only=True)
class Download:
    """A download that may begin, counted already.

    Attributes
    ----------
    ref
        The bytes in the store.
    link
        Where they are, signed and short-lived, if the object store gives links.
    """

    file: FileView
    part: ByteRange
    ref: ObjectRef
    link: str | None = None


class Deliveries(Protocol):
    """Shows deliveries and hands their files out.

    Every method may raise `DependencyAwayError` if the store (or, at a download, the archive's
    database) does not answer: that is never a refusal. All are safe from any thread.
    """

    def find(self, token: str) -> DeliveryView:
        """Return a delivery by its token, also one that has expired or was removed.

        Raises
        ------
        DeliveryUnknownError
            If there is none; whatever stands in ``token``, nothing else is looked at.
        """

    def of_request(self, request_id: UUID) -> DeliveryView | None:
        """Return the delivery of a request, or None if there is none."""

    def look(self, token: str, name: str) -> Offer:
        """Return a file if it may be fetched now: expiry and release are looked at anew. Nothing is counted.

        Parameters
        ----------
        name
            The file's name, exactly as the delivery lists it.

        Raises
        ------
        DeliveryUnknownError
            If there is no such delivery or file.
        DeliveryExpiredError
            If its time is over.
        DeliveryWithheldError
            If the data may not be handed out any more: a moved release date, QA3.
        DeliveryLostError
            If the file is not in the store any more.
        """

    def start(self, offer: Offer, *, asker: Asker, part: ByteRange | None = None) -> Download:
        """Let a download begin at once after `look`, and count it.

        Parameters
        ----------
        asker
            Who fetches.
        part
            Which bytes; all of them if None.
        """

    def stream(self, download: Download) -> AbstractContextManager[Iterator[bytes]]:
        """Read the bytes of a download that has no link."""

    def text(self, token: str, name: str) -> str:
        """Return one of the texts of an open delivery (``README.txt``, ``SHA256SUMS``, ``provenance.json``)."""

    def renew(self, token: str, *, by: str, until: datetime | None = None) -> DeliveryView:
        """Keep a delivery for longer; ``delivery.renewed`` is said.

        Parameters
        ----------
        by
            Who asks: account or address; that it is the owner is for the caller to check.
        until
            Wanted end; another whole retention time from now if None. Never earlier than before.

        Raises
        ------
        RenewalRefusedError
            If its data are removed, or ``until`` is later than it can be kept.
        """

    def keep(self, token: str, *, by: str, kept: bool) -> DeliveryView:
        """Set or take away ``.donotremove``: a kept delivery does not expire; for operators.

        Raises
        ------
        RenewalRefusedError
            If it is to be kept and has ended.
        """

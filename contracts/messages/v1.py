"""Version 1 of the messages on the way of a request, in the order in which they are said."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from contracts.identifiers import ExecBlockUid, MousUid, SessionName
from contracts.messages.base import Message
from contracts.messages.parts import (
    BlockFailure,
    CalibrationKind,
    CasaChoice,
    DeliveredFile,
    Entitlement,
    LackingProduct,
    LineText,
    MailKind,
    MousStructure,
    NamedRef,
    ObjectRef,
    RestoredBlock,
    RestoreRequest,
    RestoreTicket,
)
from contracts.reasons import ReasonCode


class RequestSubmitted(Message, topic="request.submitted", version=1):
    """Somebody asks for the calibrated data of a MOUS."""

    request: RestoreRequest = Field(description="What was asked for, whole")


class TicketSubmitted(Message, topic="ticket.submitted", version=1):
    """Somebody asks for several MOUSs in one helpdesk ticket; each becomes a ``request.submitted``."""

    request: RestoreTicket = Field(description="What was asked for, whole")


class TicketRefused(Message, topic="ticket.refused", version=1):
    """A ticket is refused whole, before any request was made of it."""

    request: RestoreTicket = Field(description="What was asked for, whole")
    reason: ReasonCode = Field(description="Why; each code has a sentence for the user and one for the operator")
    detail: str = Field(default="", description="What was found, for people; empty if the reason says it all")


class RequestAccepted(Message, topic="request.accepted", version=1):
    """The user may have the data, and it can be had."""

    request: RestoreRequest = Field(description="What was asked for, whole")
    entitlement: Entitlement = Field(description="Why the user may have the data")


class RequestRefused(Message, topic="request.refused", version=1):
    """The request ends here; the user is told why."""

    request: RestoreRequest = Field(description="What was asked for, whole")
    reason: ReasonCode = Field(description="Why; each code has a sentence for the user and one for the operator")
    detail: str = Field(default="", description="What was found, for people; empty if the reason says it all")


class RequestWaiting(Message, topic="request.waiting", version=1):
    """A dependency is away: the request waits and is tried again. Nothing is refused or lost."""

    request_id: UUID = Field(description="The request that it is about")
    mous_uid: MousUid
    eb_uid: ExecBlockUid | None = Field(default=None, description="The execution block that waits, if it is about one")
    service: str = Field(description="The service that waits")
    cause: str = Field(description="What is away or not ready, for people")
    attempt: int = Field(ge=1, description="Which try this was, from 1")
    next_attempt: datetime = Field(description="When it is tried again, UTC")


class RequestCancelled(Message, topic="request.cancelled", version=1):
    """Nobody wants the result any more: whoever works for the request stops within seconds.

    Whoever says it has put the same text into the store before, so that a service that did not hear it finds it.
    """

    request_id: UUID = Field(description="The request that it is about")
    mous_uid: MousUid
    by: LineText = Field(description="Who cancelled: an account, or the name of a program")
    reason: str = Field(default="", description="Why, in the words of whoever did it")


class RequestResent(Message, topic="request.resent", version=1):
    """Events of a request that nothing followed were sent on again, with the ids that they have."""

    request_id: UUID = Field(description="The request that it is about")
    mous_uid: MousUid | None = Field(default=None, description="None if it is about a ticket with several")
    by: LineText = Field(description="Who did it: an account, or the name of a program")
    reason: str = Field(default="", description="Why, in the words of whoever did it")
    events: tuple[UUID, ...] = Field(description="Ids of the events")


class StructureResolved(Message, topic="structure.resolved", version=1):
    """What the MOUS consists of: sessions, execution blocks, products."""

    request: RestoreRequest = Field(description="What was asked for, whole")
    structure: MousStructure = Field(description="What the MOUS consists of, as the archive's tables tell it")


class FetchProgressed(Message, topic="fetch.progressed", version=1):
    """Bytes of an execution block arrive."""

    request_id: UUID = Field(description="The request that it is about")
    mous_uid: MousUid
    eb_uid: ExecBlockUid
    files_done: int = Field(ge=0, description="Files that are there")
    files_total: int = Field(ge=0, description="Files of the block altogether")
    bytes_done: int = Field(ge=0, description="Bytes that are there")
    bytes_total: int = Field(ge=0, description="Bytes of the block altogether")
    rate: float | None = Field(default=None, ge=0, description="Bytes per second over the last seconds")
    expected_end: datetime | None = Field(default=None, description="When all bytes are there at this rate, UTC")


class ArtefactsStaged(Message, topic="artefacts.staged", version=1):
    """The ASDM of an execution block and its calibration products are in the store, verified."""

    request: RestoreRequest = Field(description="What was asked for, whole")
    structure: MousStructure = Field(description="What the MOUS consists of, as the archive's tables tell it")
    eb_uid: ExecBlockUid
    asdm: ObjectRef = Field(description="Manifest of the staged ASDM: a JSON list of its files")
    products: tuple[NamedRef, ...] = Field(
        description="Calibration products that are needed, under the names they have in the archive"
    )
    lacking: tuple[LackingProduct, ...] = Field(
        default=(), description="Those that could not be had, of several of which the manifest tells the one needed"
    )
    reused: bool = Field(default=False, description="All was staged before; nothing was fetched")


class RestoreOrdered(Message, topic="restore.ordered", version=1):
    """An execution block is to be restored from these inputs."""

    request: RestoreRequest = Field(description="What was asked for, whole")
    structure: MousStructure = Field(description="What the MOUS consists of, as the archive's tables tell it")
    eb_uid: ExecBlockUid
    session: SessionName = Field(description="The session that the block belongs to")
    asdm: ObjectRef = Field(description="Manifest of the staged ASDM: a JSON list of its files")
    products: tuple[NamedRef, ...] = Field(
        description="Calibration products that are needed, under the names they have in the archive"
    )
    ppr: NamedRef = Field(description="The processing request of this block")
    casa_version: str = Field(description="CASA that made the calibration, from the manifest or the script")
    pipeline_version: str | None = Field(default=None, description="Of the calibration, if the pipeline made it")
    casa: CasaChoice | None = Field(default=None, description="Runner image and build, chosen by the manifest")
    calibration: CalibrationKind | None = Field(
        default=None, description="How this block was calibrated: by the pipeline, if it is not said, or by hand"
    )
    restore_key: str = Field(
        pattern=r"^[0-9a-f]{32}$", description="Made of all that the result depends on: same key, same result"
    )


class RestoreStarted(Message, topic="restore.started", version=1):
    """A runner has taken up an execution block."""

    request_id: UUID = Field(description="The request that it is about")
    mous_uid: MousUid
    eb_uid: ExecBlockUid
    runner: str = Field(description="Host and process of the runner")
    attempt: int = Field(ge=1, description="Which try this is, from 1")
    way: str | None = Field(default=None, description="How it is restored; none if it fails before that is known")
    why: str | None = Field(default=None, description="Why in this way and not in a single pass")


class RestoreProgressed(Message, topic="restore.progressed", version=1):
    """A restore goes on."""

    request_id: UUID = Field(description="The request that it is about")
    mous_uid: MousUid
    eb_uid: ExecBlockUid
    step: str = Field(description="What is being done, for people")
    percent: float = Field(ge=0, le=100, description="How much is done")
    bytes_written: int | None = Field(
        default=None,
        ge=0,
        description="Bytes in CASA's working directory; while the result is stored, those of its tar that are sent",
    )
    expected_end: datetime | None = Field(
        default=None, description="When it should be done, as past restores tell, UTC"
    )


class RestoreCompleted(Message, topic="restore.completed", version=1):
    """An execution block is restored, verified and stored."""

    request: RestoreRequest = Field(description="What was asked for, whole")
    block: RestoredBlock = Field(description="What came out")


class RestoreFailed(Message, topic="restore.failed", version=1):
    """An execution block cannot be restored, at whichever stage."""

    request: RestoreRequest = Field(description="What was asked for, whole")
    failure: BlockFailure = Field(description="Why, and where on its way")


class ProductsReady(Message, topic="products.ready", version=1):
    """All execution blocks of a request are restored."""

    request: RestoreRequest = Field(description="What was asked for, whole")
    blocks: tuple[RestoredBlock, ...] = Field(description="All execution blocks of the request")


class RequestFailed(Message, topic="request.failed", version=1):
    """All execution blocks have ended and at least one failed; what was restored stays for the next request."""

    request: RestoreRequest = Field(description="What was asked for, whole")
    failures: tuple[BlockFailure, ...] = Field(description="The execution blocks that failed, and why")
    restored: tuple[RestoredBlock, ...] = Field(default=(), description="Those that were restored; they stay")


class ReleaseGranted(Message, topic="release.granted", version=1):
    """Asked again just before delivery: the user may have the data."""

    request: RestoreRequest = Field(description="What was asked for, whole")
    blocks: tuple[RestoredBlock, ...] = Field(description="All execution blocks of the request")
    entitlement: Entitlement | None = Field(default=None, description="Why; what each later download is held against")


class ReleaseWithheld(Message, topic="release.withheld", version=1):
    """Asked again just before delivery: the user may not have the data any more."""

    request: RestoreRequest = Field(description="What was asked for, whole")
    reason: ReasonCode = Field(description="Why; each code has a sentence for the user and one for the operator")
    detail: str = Field(default="", description="What was found, for people; empty if the reason says it all")


class DeliveryAnnounced(Message, topic="delivery.announced", version=1):
    """The data waits at its address and the user has been told."""

    request: RestoreRequest = Field(description="What was asked for, whole")
    address: str = Field(description="Address of the delivery, as its user reaches it")
    files: tuple[DeliveredFile, ...] = Field(description="What lies there")
    expires: datetime = Field(description="When it will be removed, UTC")
    reused: bool = Field(default=False, description="Every file existed before this request")


class DeliveryExpiring(Message, topic="delivery.expiring", version=1):
    """A delivery will be removed in a few days; its user is reminded."""

    request: RestoreRequest = Field(description="What was asked for, whole")
    address: str = Field(description="Address of the delivery, as its user reaches it")
    files: tuple[DeliveredFile, ...] = Field(description="What lies there")
    expires: datetime = Field(description="When it will be removed, UTC")


class DeliveryRenewed(Message, topic="delivery.renewed", version=1):
    """A delivery is kept for longer."""

    request_id: UUID = Field(description="The request that it is about")
    mous_uid: MousUid
    expires: datetime = Field(description="When it will be removed now, unless it is kept")
    kept: bool = Field(default=False, description="It is not removed at all until this is taken back")
    by: LineText = Field(description="Who asked: an account or an address")


class DeliveryExpired(Message, topic="delivery.expired", version=1):
    """A delivery is over and its address shows nothing any more."""

    request_id: UUID = Field(description="The request that it is about")
    mous_uid: MousUid
    files: tuple[DeliveredFile, ...] = Field(description="What it held")
    removed: tuple[str, ...] = Field(default=(), description="Names of those files whose data were removed")
    still_used: tuple[str, ...] = Field(
        default=(),
        description="Names of those whose data stay: another delivery holds them, or they are kept for reuse",
    )
    freed: int = Field(default=0, ge=0, description="Bytes of the removed files")


class MousRestorable(Message, topic="mous.restorable", version=1):
    """A MOUS for which a request came too early can be restored now; the user may ask again."""

    request: RestoreRequest = Field(description="What was asked for and refused as not restorable yet")
    since: datetime = Field(description="When it was refused")


class MailSent(Message, topic="mail.sent", version=1):
    """A mail has been handed over, or refused for good by every recipient's server."""

    request_id: UUID = Field(description="The request that it is about")
    mous_uid: MousUid | None = Field(default=None, description="None if it is about a ticket with several")
    kind: MailKind = Field(description="What the mail tells")
    mail_id: UUID = Field(description="Left side of its Message-ID")
    recipients: int = Field(ge=0, description="How many recipients have it")
    refused: int = Field(default=0, ge=0, description="How many recipients will never have it")

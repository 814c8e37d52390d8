"""Facts: what an event tells the ledger, small enough that all of a request's are read at once."""

from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, TypeAdapter

from contracts.envelope import Event
from contracts.messages import (
    ArtefactsStaged,
    DeliveryAnnounced,
    DeliveryExpired,
    DeliveryExpiring,
    DeliveryRenewed,
    FetchProgressed,
    MailSent,
    Message,
    ReleaseWithheld,
    RequestAccepted,
    RequestCancelled,
    RequestRefused,
    RequestResent,
    RequestSubmitted,
    RequestWaiting,
    RestoreCompleted,
    RestoreFailed,
    RestoreOrdered,
    RestoreProgressed,
    RestoreStarted,
    StructureResolved,
)
from contracts.messages.parts import (
    BlockFailure,
    DeliveredFile,
    Entitlement,
    MailKind,
    MousStructure,
    RestoredBlock,
    RestoreRequest,
    Session,
)
from contracts.reasons import ReasonCode


class Fact(BaseModel):
    """What an event says, without what the ledger has no use for."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: UUID
    topic: str
    source: str
    said: datetime
    cause: UUID | None = None
    eb_uid: str | None = None
    request: RestoreRequest | None = None
    entitlement: Entitlement | None = None
    reason: ReasonCode | None = None
    detail: str = ""
    by: str | None = None
    service: str | None = None
    attempt: int = 0
    next_attempt: datetime | None = None
    sessions: tuple[Session, ...] | None = None
    notes: tuple[str, ...] = ()
    reused: bool = False
    casa: str | None = None
    pipeline: str | None = None
    activity: str | None = None
    percent: float | None = None
    files_done: int | None = None
    files_total: int | None = None
    bytes_done: int | None = None
    bytes_total: int | None = None
    bytes_written: int | None = None
    rate: float | None = None
    expected_end: datetime | None = None
    runner: str | None = None
    way: str | None = None
    why: str | None = None
    restored: RestoredBlock | None = None
    failure: BlockFailure | None = None
    address: str | None = None
    files: tuple[DeliveredFile, ...] = ()
    expires: datetime | None = None
    kept: bool = False
    removed: tuple[str, ...] = ()
    still_used: tuple[str, ...] = ()
    freed: int = 0
    mail: MailKind | None = None
    mail_id: UUID | None = None
    recipients: int = 0
    refused_recipients: int = 0
    events: tuple[UUID, ...] = ()

    def dump(self) -> str:
        """Write the fact as JSON, without what it does not say."""
        return self._text

    @property
    def reached(self) -> float:
        """How far progress got: percent of a restore, bytes of a fetch."""
        return float(self.bytes_done or 0) if self.percent is None else self.percent

    @cached_property
    def _text(self) -> str:
        return self.model_dump_json(exclude_defaults=True)


_FACTS = TypeAdapter(tuple[Fact, ...])


def read_facts(texts: list[str]) -> tuple[Fact, ...]:
    """Read facts as they were written."""
    return _FACTS.validate_json(f"[{','.join(texts)}]")


def fact_of(event: Event) -> Fact:
    """Draw from an event what the ledger needs."""
    return Fact(
        id=event.id,
        topic=event.topic,
        source=event.source,
        said=event.time,
        cause=event.causationid,
        **_told(event.data),
    )


def _told(message: Message) -> dict[str, Any]:
    """Draw what a message says; of a message with nothing of its own only that it was said counts."""
    match message:
        case RequestSubmitted(request=request):
            return {"request": request}
        case RequestAccepted():
            return {"request": message.request, "entitlement": message.entitlement}
        case RequestRefused() | ReleaseWithheld():
            return {"request": message.request, "reason": message.reason, "detail": message.detail}
        case RequestCancelled():
            return {"by": message.by, "detail": message.reason}
        case StructureResolved():
            return {"request": message.request, **_structure(message.structure)}
        case ArtefactsStaged():
            sessions = message.structure.sessions
            return {"eb_uid": message.eb_uid, "sessions": sessions, "reused": message.reused}
        case RestoreOrdered():
            casa, pipeline = message.casa_version, message.pipeline_version
            return {
                "eb_uid": message.eb_uid,
                "sessions": message.structure.sessions,
                "casa": casa,
                "pipeline": pipeline,
                "notes": () if message.casa is None or message.casa.note is None else (message.casa.note,),
            }
        case RestoreCompleted(block=block):
            return {"eb_uid": block.eb_uid, "restored": block}
        case RestoreFailed(failure=failure):
            return {"eb_uid": failure.eb_uid, "failure": failure}
        case _:
            return _of_small(message)


def _of_small(message: Message) -> dict[str, Any]:
    """Draw what a message says that is small, or about the request as a whole."""
    match message:
        case RequestWaiting() | FetchProgressed() | RestoreStarted():
            told = message.model_dump(exclude={"request_id", "mous_uid", "cause"})
            return told | ({"detail": message.cause} if isinstance(message, RequestWaiting) else {})
        case RestoreProgressed():
            told = message.model_dump(exclude={"request_id", "mous_uid", "step"})
            return told | {"activity": message.step}
        case DeliveryAnnounced() | DeliveryExpiring():
            return message.model_dump(exclude={"request"}) | {"request": message.request}
        case DeliveryRenewed() | DeliveryExpired():
            return message.model_dump(exclude={"request_id", "mous_uid"})
        case RequestResent():
            return {"by": message.by, "detail": message.reason, "events": message.events}
        case MailSent():
            return {
                "mail": message.kind,
                "mail_id": message.mail_id,
                "recipients": message.recipients,
                "refused_recipients": message.refused,
            }
        case _:
            request = getattr(message, "request", None)
            return {"request": request} if isinstance(request, RestoreRequest) else {}


def _structure(structure: MousStructure) -> dict[str, Any]:
    casa = structure.casa
    return {
        "sessions": structure.sessions,
        "notes": structure.notes,
        "casa": None if casa is None else casa.version,
        "pipeline": None if casa is None else casa.pipeline,
    }

"""What users are shown of a request: all that concerns them, and nothing of how the house is built."""

from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from contracts.messages.parts import Entitlement, Selection
from contracts.reasons import REASONS, ReasonCode
from services.request_desk.ledger.records import (
    BlockRecord,
    DeliveryRecord,
    RequestRecord,
    TimelineEvent,
    Waiting,
)
from services.request_desk.ledger.states import BlockState, RequestState, Step
from services.request_desk.web.steps import StepView, steps_of


class View(BaseModel):
    """The base of what is shown."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


class BlockView(View):
    """An execution block on its way."""

    eb_uid: str
    session: str | None = None
    state: BlockState
    step: Step | None = None
    activity: str | None = Field(default=None, description="What CASA does just now")
    percent: float | None = Field(default=None, description="Of the step that goes on")
    bytes_done: int | None = None
    bytes_total: int | None = None
    bytes_written: int | None = Field(default=None, description="By CASA, or sent of the result while it is stored")
    rate: float | None = Field(default=None, description="Bytes per second, while it is fetched")
    expected_end: datetime | None = None
    attempts: int = 0
    restored_before: bool = Field(default=False, description="The result was there already")
    file_name: str | None = None
    size: int | None = Field(default=None, description="Bytes of the restored tar")
    sha256: str | None = None
    fields: tuple[str, ...] = ()
    casa: str | None = None
    pipeline: str | None = None
    way: str | None = None
    reason: ReasonCode | None = Field(default=None, description="Why it could not be restored")
    text: str = Field(default="", description="The same for people")

    @classmethod
    def of(cls, block: BlockRecord) -> Self:
        """Show an execution block."""
        text = REASONS[block.reason].user if block.reason else ""
        return cls.model_validate(block).model_copy(update={"text": text})


class WaitingView(View):
    """Something is away, and it is tried again."""

    service: str
    attempt: int
    next_attempt: datetime


class DeliveryShort(View):
    """What waits for the user."""

    address: str
    files: int
    size: int = Field(description="Bytes")
    announced: datetime
    expires: datetime
    removed: datetime | None = None

    @classmethod
    def of(cls, delivery: DeliveryRecord) -> Self:
        """Show a delivery."""
        return cls(
            address=delivery.address,
            files=len(delivery.files),
            size=delivery.size,
            announced=delivery.announced,
            expires=delivery.expires,
            removed=delivery.removed,
        )


class RequestView(View):
    """A request as its owner sees it."""

    id: UUID
    change: int = Field(description="Grows with every change; the id of live events")
    project: str | None
    mous: str | None
    ticket: str | None
    owner: str | None = Field(description="Name of who gets the data")
    selection: Selection
    state: RequestState
    is_over: bool
    step: Step | None = Field(description="What is being done; of several blocks that of the one that lags behind")
    steps: tuple[StepView, ...] = Field(description="The whole way, step by step")
    percent: float | None = Field(description="Of the whole way, roughly")
    entitlement: Entitlement | None
    reason: ReasonCode | None = Field(description="Why it did not end in a delivery")
    text: str | None = Field(description="The same for people")
    cancelled_by: str | None
    submitted: datetime | None
    answered: datetime | None
    ended: datetime | None
    expected_end: datetime | None
    notes: tuple[str, ...]
    waiting: WaitingView | None
    blocks: tuple[BlockView, ...]
    delivery: DeliveryShort | None

    @classmethod
    def of(cls, record: RequestRecord) -> Self:
        """Show a request."""
        return cls(
            id=record.id,
            change=record.change,
            project=record.project,
            mous=record.mous,
            ticket=record.ticket,
            owner=record.owner_name,
            selection=record.selection,
            state=record.state,
            is_over=record.state.is_over,
            step=record.step,
            steps=steps_of(record),
            percent=record.percent,
            entitlement=record.entitlement,
            reason=record.reason,
            text=_text(record),
            cancelled_by=record.cancelled_by,
            submitted=record.submitted,
            answered=record.answered,
            ended=record.ended,
            expected_end=record.expected_end,
            notes=record.notes,
            waiting=_waiting(record.waiting),
            blocks=tuple(BlockView.of(block) for block in record.blocks),
            delivery=DeliveryShort.of(record.delivery) if record.delivery else None,
        )


class RequestList(View):
    """A part of a list of requests, the newest first."""

    requests: tuple[RequestView, ...]
    total: int
    next_cursor: str | None = Field(default=None, description="Give it as `cursor` to get what follows")


class Moment(View):
    """One event of a request."""

    id: UUID
    topic: str
    source: str
    said: datetime
    eb_uid: str | None = None
    text: str

    @classmethod
    def of(cls, event: TimelineEvent) -> Self:
        """Show an event."""
        return cls.model_validate(event)


def _text(record: RequestRecord) -> str | None:
    if record.text is None and record.reason is not None:
        return REASONS[record.reason].user
    return record.text


def _waiting(waiting: Waiting | None) -> WaitingView | None:
    return None if waiting is None else WaitingView.model_validate(waiting)


class Shown:
    """Remembers the newest JSON text of requests: all who watch one are shown the same.

    Parameters
    ----------
    most
        How many are remembered.
    """

    def __init__(self, most: int = 2000) -> None:
        self._most = most
        self._texts: dict[UUID, tuple[int, str]] = {}

    def text(self, record: RequestRecord) -> str:
        """Return a request as JSON."""
        known = self._texts.get(record.id)
        if known is not None and known[0] == record.change:
            return known[1]
        text = RequestView.of(record).model_dump_json()
        self._texts.pop(record.id, None)
        self._texts[record.id] = (record.change, text)
        if len(self._texts) > self._most:
            self._texts.pop(next(iter(self._texts)), None)
        return text

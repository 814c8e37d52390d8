"""What a request looks like to somebody who watches: a fold over its events."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from contracts.envelope import Event
from contracts.identifiers import ExecBlockUid
from contracts.messages import (
    ArtefactsStaged,
    DeliveryAnnounced,
    FetchProgressed,
    ProductsReady,
    ReleaseGranted,
    ReleaseWithheld,
    RequestAccepted,
    RequestCancelled,
    RequestFailed,
    RequestRefused,
    RequestSubmitted,
    RequestWaiting,
    RestoreCompleted,
    RestoreFailed,
    RestoreOrdered,
    RestoreProgressed,
    RestoreStarted,
    StructureResolved,
)
from contracts.messages.parts import BlockFailure, CasaChoice, RestoredBlock, RestoreRequest
from contracts.reasons import ReasonCode


class RequestState(StrEnum):
    """Where a request is."""

    SUBMITTED = "submitted"
    ACCEPTED = "accepted"
    RESTORING = "restoring"
    RELEASING = "releasing"
    DELIVERED = "delivered"
    REFUSED = "refused"
    WITHHELD = "withheld"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_end(self) -> bool:
        """Whether nothing more will happen to the request."""
        return self in {
            RequestState.DELIVERED,
            RequestState.REFUSED,
            RequestState.WITHHELD,
            RequestState.FAILED,
            RequestState.CANCELLED,
        }


class BlockState(StrEnum):
    """Where an execution block is."""

    WAITING = "waiting"
    FETCHING = "fetching"
    STAGED = "staged"
    ORDERED = "queued for CASA"
    RESTORING = "restoring"
    RESTORED = "restored"
    REUSED = "found pre-existing"
    FAILED = "failed"

    @property
    def is_end(self) -> bool:
        """Whether the block has its outcome."""
        return self in {BlockState.RESTORED, BlockState.REUSED, BlockState.FAILED}


@dataclass
class BlockProgress:
    """An execution block on its way."""

    eb_uid: ExecBlockUid
    state: BlockState = BlockState.WAITING
    step: str = ""
    percent: float = 0.0
    written: int | None = None
    expected_end: datetime | None = None

    def advance(
        self,
        state: BlockState,
        step: str = "",
        percent: float = 0.0,
        *,
        written: int | None = None,
        expected_end: datetime | None = None,
    ) -> None:
        """Move on, unless the block has ended or has been further already (events may come late)."""
        order = list(BlockState)
        if not self.state.is_end and order.index(state) >= order.index(self.state):
            self.state, self.step, self.percent = state, step, percent
            self.written, self.expected_end = written, expected_end


@dataclass
class RequestProgress:
    """A request on its way. Feed it every event of the request with `apply`."""

    request: RestoreRequest | None = None
    state: RequestState = RequestState.SUBMITTED
    blocks: dict[ExecBlockUid, BlockProgress] = field(default_factory=dict)
    waiting: str = ""
    notes: tuple[str, ...] = ()
    """What there is to say of how it is restored: which of several calibrations is used, an old build of CASA."""
    reason: ReasonCode | None = None
    detail: str = ""
    failures: tuple[BlockFailure, ...] = ()
    restored: tuple[RestoredBlock, ...] = ()
    delivered: tuple[RestoredBlock, ...] = ()
    delivery: DeliveryAnnounced | None = None

    def block(self, eb_uid: ExecBlockUid) -> BlockProgress:
        """Return the progress of an execution block."""
        return self.blocks.setdefault(eb_uid, BlockProgress(eb_uid))

    def apply(self, event: Event) -> None:
        """Take in one event of the request."""
        message = event.data
        self.request = getattr(message, "request", self.request)
        self.waiting = f"{message.service}: {message.cause}" if isinstance(message, RequestWaiting) else ""
        self._apply_to_blocks(event)
        match message:
            case RestoreOrdered(casa=CasaChoice(note=str(note))):
                self._note(note)
            case RequestSubmitted():
                self._move(RequestState.SUBMITTED)
            case RequestAccepted():
                self._move(RequestState.ACCEPTED)
            case StructureResolved(structure=structure):
                self._note(*structure.notes)
                self._move(RequestState.RESTORING)
            case ProductsReady():
                self._move(RequestState.RELEASING)
            case ReleaseGranted(blocks=blocks):
                self.delivered = blocks
                self._move(RequestState.RELEASING)
            case RequestRefused(reason=reason, detail=detail):
                self._end(RequestState.REFUSED, reason, detail)
            case ReleaseWithheld(reason=reason, detail=detail):
                self._end(RequestState.WITHHELD, reason, detail)
            case RequestFailed(failures=failures, restored=restored):
                self.failures, self.restored = failures, restored
                self._end(RequestState.FAILED, failures[0].reason, failures[0].detail)
            case RequestCancelled(by=by, reason=why):
                self._move(RequestState.CANCELLED)
                self.detail = f"by {by}: {why}" if why else f"by {by}"
            case DeliveryAnnounced():
                self.delivery = message
                self._move(RequestState.DELIVERED)
            case _:
                pass

    def _apply_to_blocks(self, event: Event) -> None:
        match event.data:
            case StructureResolved(structure=structure):
                for eb_uid in structure.execution_blocks:
                    self.block(eb_uid)
            case FetchProgressed(eb_uid=eb_uid, bytes_done=done, bytes_total=total, expected_end=end):
                percent = 100 * done / total if total else 100.0
                self.block(eb_uid).advance(BlockState.FETCHING, "fetch", percent, expected_end=end)
            case ArtefactsStaged(eb_uid=eb_uid):
                self.block(eb_uid).advance(BlockState.STAGED)
            case RestoreOrdered(eb_uid=eb_uid):
                self.block(eb_uid).advance(BlockState.ORDERED)
            case RestoreStarted(eb_uid=eb_uid):
                self.block(eb_uid).advance(BlockState.RESTORING, "start")
            case RestoreProgressed(eb_uid=eb_uid, step=step, percent=percent, bytes_written=written, expected_end=end):
                self.block(eb_uid).advance(BlockState.RESTORING, step, percent, written=written, expected_end=end)
            case RestoreCompleted(block=block):
                state = BlockState.REUSED if block.reused else BlockState.RESTORED
                self.block(block.eb_uid).advance(state, percent=100.0)
            case RestoreFailed(failure=failure):
                self.block(failure.eb_uid).advance(BlockState.FAILED, failure.reason.value)
            case _:
                pass

    def _note(self, *notes: str) -> None:
        self.notes = tuple(dict.fromkeys((*self.notes, *notes)))

    def _move(self, state: RequestState) -> None:
        order = list(RequestState)
        if not self.state.is_end and order.index(state) > order.index(self.state):
            self.state = state

    def _end(self, state: RequestState, reason: ReasonCode, detail: str) -> None:
        if not self.state.is_end:
            self.state, self.reason, self.detail = state, reason, detail

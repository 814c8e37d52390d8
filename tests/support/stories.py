"""The events of whole requests, as the services say them one after the other."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

from contracts.envelope import Event
from contracts.identifiers import ExecBlockUid, SessionName
from contracts.messages import (
    ArtefactsStaged,
    DeliveryAnnounced,
    DeliveryExpired,
    DeliveryRenewed,
    FetchProgressed,
    MailSent,
    Message,
    ProductsReady,
    ReleaseGranted,
    RequestAccepted,
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
from contracts.messages.parts import BlockFailure, DeliveredFile, Entitlement, MailKind, RestoreRequest, Session, Stage
from contracts.reasons import ReasonCode
from tests.support.samples import BLOCK, CALTABLES, MOUS, PPR, REQUEST, STRUCTURE, ref

BEGAN = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
BLOCKS = tuple(
    ExecBlockUid(uid)
    for uid in (
        "uid://A002/Xc7111c/X3979",
        "uid://A002/Xc7111c/X409e",
        "uid://A002/Xc7111c/X86a7",
        "uid://A002/Xc72427/X2dfe",
    )
)


class Story:
    """Says the events of one request, a minute after each other.

    Parameters
    ----------
    request_id
        The request.
    blocks
        Its execution blocks.
    began
        When it was submitted.
    """

    def __init__(
        self,
        *,
        request_id: UUID = REQUEST.request_id,
        blocks: Sequence[ExecBlockUid] = BLOCKS[:2],
        began: datetime = BEGAN,
    ) -> None:
        self.request: RestoreRequest = REQUEST.model_copy(update={"request_id": request_id})
        self.blocks = tuple(blocks)
        self.structure = STRUCTURE.model_copy(
            update={"sessions": (Session(name=SessionName("session_1"), execution_blocks=self.blocks),)}
        )
        self.events: list[Event] = []
        self._now = began

    def say(self, message: Message, *, cause: Event | None = None, key: str = "", after: float = 60.0) -> Event:
        """Say something, so many seconds after what was said before."""
        self._now += timedelta(seconds=after)
        if cause is None and self.events:
            cause = self.events[-1]
        if cause is None:
            event_id = uuid5(self.request.request_id, "first")
            event = Event.first(message, source="/alma-restore/test", event_id=event_id)
        else:
            event = cause.derive(message, source="/alma-restore/test", key=key)
        event = event.model_copy(update={"time": self._now})
        self.events.append(event)
        return event

    def about(self, eb_uid: ExecBlockUid) -> dict[str, object]:
        """Name request and block, as messages about progress do."""
        return {"request_id": self.request.request_id, "mous_uid": MOUS, "eb_uid": eb_uid}

    def submitted(self) -> Event:
        """Say that somebody asks."""
        return self.say(RequestSubmitted(request=self.request))

    def resolved(self) -> Event:
        """Say all until the structure is known."""
        self.submitted()
        self.say(RequestAccepted(request=self.request, entitlement=Entitlement.PI))
        return self.say(StructureResolved(request=self.request, structure=self.structure))

    def fetched(self, cause: Event, eb_uid: ExecBlockUid) -> Event:
        """Say how a block is fetched, and that a dependency was away once."""
        for done in (100, 500, 1000):
            progress = FetchProgressed(
                **self.about(eb_uid), files_done=1, files_total=3, bytes_done=done, bytes_total=1000
            )
            self.say(progress, cause=cause, key=f"{eb_uid}/{done}")
        waits = RequestWaiting(
            **self.about(eb_uid), service="ngas-fetcher", cause="away", attempt=1, next_attempt=self._now
        )
        self.say(waits, cause=cause, key=f"waits/{eb_uid}")
        staged = ArtefactsStaged(
            request=self.request,
            structure=self.structure,
            eb_uid=eb_uid,
            asdm=ref("asdm/x.json"),
            products=(CALTABLES,),
        )
        return self.say(staged, cause=cause, key=eb_uid)

    def ordered(self, cause: Event, eb_uid: ExecBlockUid) -> Event:
        """Say that a block is to be restored."""
        order = RestoreOrdered(
            request=self.request,
            structure=self.structure,
            eb_uid=eb_uid,
            session=SessionName("session_1"),
            asdm=ref("asdm/x.json"),
            products=(CALTABLES,),
            ppr=PPR,
            casa_version="6.5.4",
            restore_key="0123456789abcdef" * 2,
        )
        return self.say(order, cause=cause, key=eb_uid)

    def started(self, cause: Event, eb_uid: ExecBlockUid, *, attempt: int = 1) -> Event:
        """Say that a runner begins."""
        started = RestoreStarted(**self.about(eb_uid), runner="node1:1", attempt=attempt)
        return self.say(started, cause=cause, key=f"{eb_uid}/{attempt}/started")

    def progressed(self, cause: Event, eb_uid: ExecBlockUid, percent: float, *, attempt: int = 1) -> Event:
        """Say how far a restore is."""
        progress = RestoreProgressed(**self.about(eb_uid), step="applycal", percent=percent, bytes_written=2000)
        return self.say(progress, cause=cause, key=f"{eb_uid}/{attempt}/{percent}")

    def restored(self, cause: Event, eb_uid: ExecBlockUid) -> Event:
        """Say that a block is restored."""
        block = BLOCK.model_copy(update={"eb_uid": eb_uid})
        return self.say(RestoreCompleted(request=self.request, block=block), cause=cause, key=eb_uid)

    def failed(self, cause: Event, eb_uid: ExecBlockUid) -> Event:
        """Say that a block cannot be restored."""
        failure = BlockFailure(eb_uid=eb_uid, stage=Stage.RESTORE, reason=ReasonCode.CASA_FAILED, detail="exit 1")
        return self.say(RestoreFailed(request=self.request, failure=failure), cause=cause, key=eb_uid)

    def run(self, cause: Event, eb_uid: ExecBlockUid) -> Event:
        """Say how a block is restored at the second attempt."""
        order = self.ordered(cause, eb_uid)
        self.started(order, eb_uid)
        for attempt, percent in ((1, 40.0), (2, 10.0), (2, 90.0)):
            if (attempt, percent) == (2, 10.0):
                self.started(order, eb_uid, attempt=2)
            self.progressed(order, eb_uid, percent, attempt=attempt)
        return order

    def ready(self) -> Event:
        """Say all until every block is restored."""
        structure = self.resolved()
        last = structure
        for eb_uid in self.blocks:
            last = self.restored(self.run(self.fetched(structure, eb_uid), eb_uid), eb_uid)
        return self.say(ProductsReady(request=self.request, blocks=(BLOCK,)), cause=last)

    def delivered(self) -> Event:
        """Say all until the delivery and its mail."""
        granted = self.say(ReleaseGranted(request=self.request, blocks=(BLOCK,)), cause=self.ready())
        announced = DeliveryAnnounced(
            request=self.request,
            address="https://data.example.org/d/1",
            files=(DeliveredFile(name="a.tar", size=10, sha256="a" * 64),),
            expires=self._now + timedelta(days=28),
        )
        self.say(announced, cause=granted)
        return self.mailed(MailKind.DELIVERED, cause=granted)

    def mailed(self, kind: MailKind, *, cause: Event | None = None) -> Event:
        """Say that a mail went out."""
        sent = MailSent(
            request_id=self.request.request_id,
            mous_uid=MOUS,
            kind=kind,
            mail_id=uuid5(self.request.request_id, kind),
            recipients=2,
        )
        return self.say(sent, cause=cause, key=kind)

    def removed(self) -> Event:
        """Say all until the delivery was renewed and removed."""
        self.delivered()
        who = {"request_id": self.request.request_id, "mous_uid": MOUS}
        self.say(DeliveryRenewed(**who, expires=self._now + timedelta(days=56), by="vrubin"))
        return self.say(DeliveryExpired(**who, files=(), removed=("a.tar",), freed=10), after=60 * 86400)

    def not_restored(self) -> Event:
        """Say all of a request one of whose blocks fails, until its mail."""
        structure = self.resolved()
        *others, bad = self.blocks
        for eb_uid in others:
            self.restored(self.run(self.fetched(structure, eb_uid), eb_uid), eb_uid)
        failed = self.failed(self.run(self.fetched(structure, bad), bad), bad)
        failure = BlockFailure(eb_uid=bad, stage=Stage.RESTORE, reason=ReasonCode.CASA_FAILED, detail="exit 1")
        self.say(RequestFailed(request=self.request, failures=(failure,), restored=(BLOCK,)), cause=failed)
        return self.mailed(MailKind.FAILED)

    def refused(self) -> Event:
        """Say that a request is refused, until its mail."""
        self.submitted()
        self.say(RequestRefused(request=self.request, reason=ReasonCode.NOT_ENTITLED, detail="proprietary"))
        return self.mailed(MailKind.REFUSED)


def stories(request_ids: Sequence[UUID]) -> Iterator[Story]:
    """Tell requests that end in every way, one after the other."""
    ways = (Story.removed, Story.not_restored, Story.refused, Story.delivered, Story.ready)
    for index, request_id in enumerate(request_ids):
        story = Story(request_id=request_id, blocks=BLOCKS[: 1 + index % 4], began=BEGAN + timedelta(hours=index))
        ways[index % len(ways)](story)
        yield story

"""What the ledger tells of requests: frozen models for reading, all times in UTC."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from contracts.messages.parts import DeliveredFile, Entitlement, MailKind, RestoreRequest, Selection
from contracts.reasons import ReasonCode
from services.request_desk.ledger.block_records import BlockRecord as BlockRecord
from services.request_desk.ledger.block_records import Record as Record
from services.request_desk.ledger.block_records import StepTime as StepTime
from services.request_desk.ledger.block_records import Waiting as Waiting
from services.request_desk.ledger.states import BlockState, RequestState, Step


class MailRecord(Record):
    """A mail that went out."""

    kind: MailKind
    mail_id: UUID
    sent: datetime
    recipients: int
    refused: int = 0


class DeliveryRecord(Record):
    """What waits for the user, and until when.

    Attributes
    ----------
    expires
        When it will be removed; the latest said, renewals included.
    kept_by
        Who has set that it is not removed at all, if anybody has.
    renewals
        How often it was renewed.
    reminded
        When its end was announced.
    removed
        When it was removed, if it was; its address shows nothing any more.
    removed_files, still_used
        Names of the files whose data were removed then, and of those whose data are used elsewhere.
    """

    address: str
    files: tuple[DeliveredFile, ...]
    announced: datetime
    expires: datetime
    reused: bool = False
    kept_by: str | None = None
    renewals: int = 0
    reminded: datetime | None = None
    removed: datetime | None = None
    removed_files: tuple[str, ...] = ()
    still_used: tuple[str, ...] = ()
    freed: int = 0

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(each.size for each in self.files)


class Resent(Record):
    """A person sent unfinished events of a request on again."""

    by: str
    reason: str
    at: datetime
    events: tuple[UUID, ...]


class IllegalMove(Record):
    """An event that contradicts what the ledger knew: recorded, not applied."""

    request_id: UUID
    event_id: UUID
    topic: str
    eb_uid: str | None = None
    said: datetime
    state: str = Field(description="State of the request or block that the event does not fit")
    why: str


class RequestRecord(Record):
    """A request as the ledger knows it.

    Attributes
    ----------
    change
        Number of the ledger's change that made this; grows with every change of any request.
    request
        As it was asked; None while only later events are known.
    reason, detail, text
        Why it was refused, withheld or failed: code, what exactly, and the sentence for the user.
    cancelled_by
        Who cancelled it.
    submitted, answered, ended
        When it was asked for, accepted or refused, and when it came to its end.
    moved
        When something last went forward for it; retries do not count.
    expected_end
        When the last of its execution blocks should be restored; None if nobody can tell.
    step
        What is being done: of several blocks the one that lags behind; None when all is done.
    times
        When each step of the request itself began and ended; those of the blocks stand with them.
    missing_causes
        Ids of events that others here answer but that did not come (yet).
    """

    id: UUID
    change: int = 0
    ticket_request: UUID | None = Field(default=None, description="Event of the ticket that it was made of")
    request: RestoreRequest | None = None
    project: str | None = None
    mous: str | None = None
    owner_account: str | None = None
    owner_email: str | None = None
    owner_name: str | None = None
    ticket: str | None = None
    selection: Selection = Selection()
    state: RequestState = RequestState.SUBMITTED
    step: Step | None = Step.ENTITLEMENT
    entitlement: Entitlement | None = None
    reason: ReasonCode | None = None
    detail: str = ""
    text: str | None = None
    cancelled_by: str | None = None
    submitted: datetime | None = None
    answered: datetime | None = None
    ended: datetime | None = None
    moved: datetime | None = None
    expected_end: datetime | None = None
    percent: float | None = Field(default=None, description="Of the whole way, a rough mean over blocks and steps")
    notes: tuple[str, ...] = ()
    blocks: tuple[BlockRecord, ...] = ()
    waiting: Waiting | None = Field(default=None, description="The newest wait of any service, while it lasts")
    mails: tuple[MailRecord, ...] = ()
    delivery: DeliveryRecord | None = None
    resent: tuple[Resent, ...] = ()
    times: tuple[StepTime, ...] = ()
    illegal: tuple[IllegalMove, ...] = ()
    missing_causes: tuple[UUID, ...] = ()

    @property
    def is_active(self) -> bool:
        """Whether something is still to happen for it."""
        return self.state.is_active

    @property
    def size(self) -> int:
        """Bytes of all that is restored."""
        return sum(block.size or 0 for block in self.blocks)

    def belongs_to(self, *, account: str | None, email: str | None) -> bool:
        """Whether this is the request of a user, by account or (case-insensitive) e-mail address."""
        by_account = account is not None and self.owner_account is not None and account == self.owner_account
        by_email = email is not None and self.owner_email is not None and email.lower() == self.owner_email.lower()
        return by_account or by_email


class TimelineEvent(Record):
    """One event of a request, as it was said.

    Attributes
    ----------
    received
        When it came to the ledger first.
    text
        One line that says what the event says.
    data
        The message whole, as JSON.
    """

    id: UUID
    topic: str
    source: str
    said: datetime
    received: datetime
    cause: UUID | None = None
    eb_uid: str | None = None
    text: str = ""
    illegal: str | None = Field(default=None, description="Why it was not applied, if it was not")
    data: str = "{}"


class RequestFilter(Record):
    """Which requests; what is left out does not restrict.

    Attributes
    ----------
    owner_account, owner_email
        Those of this user: by account, or by e-mail address whatever its case.
    text
        Part of project, MOUS, ticket, user name or address; case does not count.
    active
        Only those for which something is still to happen, or only the others.
    """

    owner_account: str | None = None
    owner_email: str | None = None
    states: frozenset[RequestState] = frozenset()
    steps: frozenset[Step] = frozenset()
    project: str | None = None
    mous: str | None = None
    ticket: str | None = None
    text: str | None = None
    active: bool | None = None
    stuck: bool | None = None
    with_illegal_moves: bool | None = None
    submitted_since: datetime | None = None
    submitted_before: datetime | None = None


class Page(Record):
    """Which part of a long list: newest first, after the cursor of the page before."""

    size: Annotated[int, Field(ge=1, le=1000)] = 50
    cursor: str | None = None


class RequestPage(Record):
    """A part of a list of requests."""

    requests: tuple[RequestRecord, ...]
    next_cursor: str | None = None
    total: int = 0


class Counts(Record):
    """How much there is of what.

    Attributes
    ----------
    oldest
        When the oldest request in each state that is not an end was submitted.
    """

    requests: dict[RequestState, int] = Field(default_factory=dict)
    blocks: dict[BlockState, int] = Field(default_factory=dict)
    steps: dict[Step, int] = Field(default_factory=dict)
    oldest: dict[RequestState, datetime] = Field(default_factory=dict)
    stuck: int = 0
    illegal_moves: int = 0
    unreadable: int = 0
    missed: int = Field(default=0, description="Events that were gone from the journal before they were read")


class StuckRequest(Record):
    """A request for which nothing went forward for longer than its step may take."""

    request: RequestRecord
    step: Step
    eb_uid: str | None = Field(default=None, description="The block that lags; None if it is the request itself")
    since: datetime = Field(description="When something last went forward; retries do not count")
    limit: float = Field(description="Seconds that the step may take")
    unfinished: tuple[UUID, ...] = Field(
        default=(), description="Events that nothing followed: what `try now` sends on again"
    )


class UnreadableEvent(Record):
    """What came as an event and cannot be read or taken in by this release."""

    key: str
    received: datetime
    reason: str
    body: str


class DownloadRecord(Record):
    """The start of a download."""

    request_id: UUID
    file: str
    at: datetime
    by: str | None = Field(default=None, description="Account or address of who is signed in, if anybody is")
    client: str | None = Field(default=None, description="Address of the client")
    offset: int = 0
    length: int | None = Field(default=None, description="Bytes that were asked for, if that is known")

"""What the ledger tells of an execution block: frozen models for reading, all times in UTC."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from contracts.messages.parts import Stage
from contracts.reasons import ReasonCode
from services.request_desk.ledger.states import BlockState, Step


class Record(BaseModel):
    """The base of what the ledger tells: frozen, as JSON without loss."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class StepTime(Record):
    """When a step began, and when it ended if it has."""

    step: Step
    began: datetime
    ended: datetime | None = None

    @property
    def seconds(self) -> float | None:
        """How long the step took; None while it goes on."""
        return None if self.ended is None else (self.ended - self.began).total_seconds()


class Waiting(Record):
    """A service waits for something that is away, and tries again."""

    service: str
    cause: str
    attempt: int
    said: datetime
    next_attempt: datetime


class BlockRecord(Record):
    """An execution block of a request.

    Attributes
    ----------
    activity
        What CASA does just now, as the runner words it; None before and after.
    percent
        Of the step that goes on, 0 to 100: of the bytes while it is fetched, of the restore while it is restored.
    bytes_done, bytes_total, files_done, files_total, rate
        Of the fetching; bytes, files, bytes per second. None if nothing was fetched.
    bytes_written
        What CASA has in its working directory, or what is sent of the result; None before and after.
    attempts
        How often a runner took it up.
    size
        Bytes of the restored tar.
    casa
        Version of CASA: ordered, then used.
    way
        Way of the restore: single pass or reference.
    """

    eb_uid: str
    session: str | None = None
    state: BlockState = BlockState.EXPECTED
    step: Step | None = Step.FETCH
    activity: str | None = None
    percent: float | None = None
    files_done: int | None = None
    files_total: int | None = None
    bytes_done: int | None = None
    bytes_total: int | None = None
    bytes_written: int | None = None
    rate: float | None = None
    expected_end: datetime | None = None
    attempts: int = 0
    runner: str | None = None
    staged_before: bool = False
    restored_before: bool = False
    file_name: str | None = None
    size: int | None = None
    sha256: str | None = None
    rows: int | None = None
    fields: tuple[str, ...] = ()
    casa: str | None = None
    pipeline: str | None = None
    way: str | None = None
    way_reason: str | None = None
    failed_at: Stage | None = None
    reason: ReasonCode | None = None
    detail: str = ""
    log: str | None = Field(default=None, description="Key of the whole log in the object store, of a failure")
    working_directory: str | None = None
    waiting: Waiting | None = None
    moved: datetime | None = Field(default=None, description="When something last went forward; retries do not count")
    times: tuple[StepTime, ...] = ()

"""Jobs as UWS knows them, made of requests, or of drafts that were not begun."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from contracts.messages.parts import RestoreRequest
from contracts.reasons import REASONS
from services.request_desk.deliveries.base import DeliveryView
from services.request_desk.ledger.records import RequestRecord
from services.request_desk.ledger.states import RequestState
from services.request_desk.web.uws.drafts import Draft


class Phase(StrEnum):
    """Execution phases (UWS 1.1, section 2.1.3) that a request can be in."""

    PENDING = "PENDING"
    QUEUED = "QUEUED"
    EXECUTING = "EXECUTING"
    SUSPENDED = "SUSPENDED"
    COMPLETED = "COMPLETED"
    ERROR = "ERROR"
    ABORTED = "ABORTED"
    ARCHIVED = "ARCHIVED"

    @property
    def is_active(self) -> bool:
        """Whether the phase may still change by itself or by its owner."""
        return self in (Phase.PENDING, Phase.QUEUED, Phase.EXECUTING, Phase.SUSPENDED)


@dataclass(frozen=True, kw_only=True)
class Result:
    """A file that waits."""

    id: str
    href: str
    size: int
    mime_type: str


@dataclass(frozen=True, kw_only=True)
class Job:
    """A job, as it is written.

    Attributes
    ----------
    change
        Number of the ledger's change that it was made of; -1 of a draft.
    quote
        When it should be done.
    destruction
        When its results are removed.
    """

    id: UUID
    run_id: str
    owner: str | None
    phase: Phase
    created: datetime
    started: datetime | None = None
    ended: datetime | None = None
    quote: datetime | None = None
    destruction: datetime | None = None
    parameters: tuple[tuple[str, str], ...] = ()
    results: tuple[Result, ...] = ()
    error: str | None = None
    change: int = -1


PHASES = {
    RequestState.SUBMITTED: Phase.QUEUED,
    RequestState.ACCEPTED: Phase.QUEUED,
    RequestState.RESOLVED: Phase.EXECUTING,
    RequestState.READY: Phase.EXECUTING,
    RequestState.RELEASED: Phase.EXECUTING,
    RequestState.DELIVERED: Phase.COMPLETED,
    RequestState.REMOVED: Phase.ARCHIVED,
    RequestState.REFUSED: Phase.ERROR,
    RequestState.FAILED: Phase.ERROR,
    RequestState.WITHHELD: Phase.ERROR,
    RequestState.CANCELLED: Phase.ABORTED,
}


def phase_of(record: RequestRecord) -> Phase:
    """Say in which phase a request is; one that waits for a dependency goes on by itself: it is suspended."""
    phase = PHASES[record.state]
    return Phase.SUSPENDED if phase is Phase.EXECUTING and record.waiting is not None else phase


def job_of(record: RequestRecord, delivery: DeliveryView | None = None) -> Job:
    """Make the job of a request; its results are those of its delivery."""
    phase = phase_of(record)
    created = record.submitted or record.moved
    assert created is not None, "every request in the ledger has a first event"
    return Job(
        id=record.id,
        run_id=record.ticket or "",
        owner=record.owner_account or record.owner_email,
        phase=phase,
        created=created,
        started=None if phase is Phase.QUEUED else record.answered,
        ended=record.ended,
        quote=record.expected_end if phase.is_active else None,
        destruction=record.delivery.expires if record.delivery else None,
        parameters=parameters_of(record.request) if record.request else (),
        results=_results(delivery) if delivery and phase is Phase.COMPLETED else (),
        error=_error(record) if phase is Phase.ERROR else None,
        change=record.change,
    )


def job_of_draft(draft: Draft) -> Job:
    """Make the job of a draft."""
    request = draft.request
    return Job(
        id=request.request_id,
        run_id=request.ticket,
        owner=request.user_account or request.user_email,
        phase=Phase.PENDING,
        created=draft.created,
        parameters=parameters_of(request),
    )


def parameters_of(request: RestoreRequest) -> tuple[tuple[str, str], ...]:
    """List the parameters of a request under the names by which they are given."""
    selection = request.selection
    found: list[tuple[str, object]] = [
        ("PROJECT", request.project_code),
        ("MOUS", request.mous_uid),
        ("TICKET", request.ticket),
        *(("FIELD", field) for field in selection.calibrator_fields),
        *(("SPW", spw) for spw in selection.spw or ()),
        ("CHANBIN", selection.chanbin),
        ("TIMEBIN", selection.timebin),
        ("CONTACT", request.contact_email),
        *(("CC", address) for address in request.cc),
    ]
    flags = [("SCIENCE_ONLY", "true")] * bool(selection.science_only) + [("FORCE", "true")] * request.force
    return tuple((name, str(value)) for name, value in (*found, *flags) if value is not None)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which jobs a list has (UWS 1.1, section 2.2.2.1)."""

    phases: frozenset[Phase] = frozenset()
    after: datetime | None = None
    last: int | None = None


def chosen(jobs: Sequence[Job], wanted: Wanted) -> list[Job]:
    """Choose jobs for a list, the newest first; archived ones only if they are asked for."""
    phases = wanted.phases or (frozenset(Phase) - {Phase.ARCHIVED})
    found = [job for job in jobs if job.phase in phases and (wanted.after is None or job.created > wanted.after)]
    found.sort(key=lambda job: job.created, reverse=True)
    return found if wanted.last is None else found[: wanted.last]


def _results(delivery: DeliveryView) -> tuple[Result, ...]:
    return tuple(
        Result(
            id=file.name,
            href=file.url,
            size=file.size,
            mime_type="application/x-tar" if file.is_data else "text/plain",
        )
        for file in delivery.files
    )


def _error(record: RequestRecord) -> str:
    if record.text:
        return record.text
    return REASONS[record.reason].user if record.reason else "the request has failed"

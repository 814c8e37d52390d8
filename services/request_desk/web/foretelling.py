"""Foretell what a request would meet: entitled or not, how large the result is, and how long it takes.

The verdict is that of the entitlement checker's own rules, asked of the same tables at this moment;
it is asked again when the request is made, and before its result is released.
"""

import statistics
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field

from contracts.identifiers import MousUid, ProjectCode
from contracts.messages.parts import Entitlement, RestoreRequest
from contracts.reasons import REASONS, ReasonCode
from services.request_desk.ledger.base import Ledger
from services.request_desk.ledger.records import Page, RequestFilter, RequestRecord
from services.request_desk.ledger.states import RequestState
from shared.entitlement.decide import Accept, Refuse, decide, refuse_unasked
from shared.entitlement.records import EntitlementRecords, facts_of

FEWEST = 3
"""Past deliveries that an estimate needs, unless one is of the same MOUS."""


class Foretold(BaseModel):
    """What a request would meet if it were made now.

    Attributes
    ----------
    size
        Bytes that the delivery would have.
    seconds
        How long it would take from the request to the delivery.
    basis
        What size and time rest on.
    """

    model_config = ConfigDict(frozen=True)

    mous_uid: MousUid
    project_code: ProjectCode | None = Field(description="Of the MOUS, as the archive has it")
    entitled: bool
    entitlement: Entitlement | None = None
    reason: ReasonCode | None = Field(default=None, description="Why not")
    text: str = Field(default="", description="The same for people")
    execution_blocks: int | None = Field(default=None, description="Those that passed QA0")
    size: int | None = None
    seconds: float | None = None
    basis: str = ""


class Foreteller(Protocol):
    """Says what a request would meet."""

    def foretell(self, request: RestoreRequest, *, project_given: bool) -> Foretold:
        """Say what a request would meet if it were made now.

        Parameters
        ----------
        request
            What would be asked for.
        project_given
            Whether who asks has named the project; if not, that of the MOUS is taken.

        Raises
        ------
        DependencyAwayError
            If archive or ledger do not answer.
        """


class ArchiveForeteller:
    """Asks the archive's tables and the ledger.

    Parameters
    ----------
    records
        Knows MOUSs and people.
    ledger
        Knows what was delivered before.
    clock
        Tells the time, UTC.
    """

    def __init__(self, *, records: EntitlementRecords, ledger: Ledger, clock: Callable[[], datetime]) -> None:
        self._records = records
        self._ledger = ledger
        self._clock = clock

    def foretell(self, request: RestoreRequest, *, project_given: bool) -> Foretold:
        """Say what a request would meet; see `Foreteller.foretell`."""
        with self._records.together():
            mous = self._records.mous(request.mous_uid)
            if not project_given and mous is not None and mous.project_code is not None:
                request = request.model_copy(update={"project_code": ProjectCode(mous.project_code)})
            verdict = refuse_unasked(request) or decide(facts_of(request, self._records, now=self._clock()))
        project = None if mous is None or mous.project_code is None else ProjectCode(mous.project_code)
        match verdict:
            case Refuse(reason=reason):
                return Foretold(
                    mous_uid=request.mous_uid,
                    project_code=project,
                    entitled=False,
                    reason=reason,
                    text=REASONS[reason].user,
                )
            case Accept(entitlement=entitlement):
                blocks = mous.passed_blocks if mous else 0
                size, seconds, basis = estimate(request, blocks, past=self._past())
                return Foretold(
                    mous_uid=request.mous_uid,
                    project_code=project,
                    entitled=True,
                    entitlement=entitlement,
                    execution_blocks=blocks,
                    size=size,
                    seconds=seconds,
                    basis=basis,
                )

    def _past(self) -> Sequence[RequestRecord]:
        states = frozenset({RequestState.DELIVERED, RequestState.REMOVED})
        return self._ledger.requests(RequestFilter(states=states), Page(size=100)).requests


def estimate(
    request: RestoreRequest, blocks: int, *, past: Sequence[RequestRecord]
) -> tuple[int | None, float | None, str]:
    """Estimate size and duration from past deliveries, and say what that rests on.

    Parameters
    ----------
    request
        What would be asked for.
    blocks
        Execution blocks of the MOUS that passed QA0.
    past
        Requests that were delivered, the newest first.

    Returns
    -------
    tuple
        Bytes, seconds, and the basis; None where nobody can tell.
    """
    same = [each for each in past if each.mous == request.mous_uid and each.selection == request.selection]
    if same:
        return same[0].size, _seconds(same[0]), "this data was delivered before"
    alike = [each for each in past if each.blocks and each.selection.calibrators_only == _calibrators(request)]
    if len(alike) < FEWEST or not blocks:
        return None, None, "too little was delivered yet to tell size and time"
    sizes = [each.size / len(each.blocks) for each in alike]
    times = [seconds for each in alike if (seconds := _seconds(each)) is not None]
    return (
        round(statistics.median(sizes) * blocks),
        # Blocks are restored side by side, so that their number makes little difference.
        statistics.median(times) if times else None,
        f"the median of the last {len(alike)} deliveries",
    )


def _calibrators(request: RestoreRequest) -> bool:
    return request.selection.calibrators_only


def _seconds(record: RequestRecord) -> float | None:
    if record.submitted is None or record.delivery is None:
        return None
    return (record.delivery.announced - record.submitted).total_seconds()

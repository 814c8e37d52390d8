"""Whether a delivery may still be handed out: asked of the archive's tables at each start of a download."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Protocol
from uuid import UUID

import structlog

from contracts.messages.parts import RestoreRequest
from contracts.reasons import REASONS
from services.request_desk.deliveries.base import DeliveryWithheldError
from shared.entitlement.decide import Accept, Refuse, Verdict, decide
from shared.entitlement.records import EntitlementRecords, facts_of
from shared.errors import DependencyAwayError

log = structlog.get_logger()

MOST_REMEMBERED = 10_000


class Release(Protocol):
    """Knows whether the result of a request may be handed out."""

    def check(self, request: RestoreRequest) -> None:
        """Do nothing if it may.

        Raises
        ------
        DeliveryWithheldError
            If it may not at present: a release date was moved, QA3 began, a right was taken back.
        DependencyAwayError
            If that cannot be found out now.
        """


class Unchecked:
    """Lets everything be handed out that was delivered: for a desk that cannot ask the archive."""

    def check(self, request: RestoreRequest) -> None:
        """Do nothing."""


@dataclass(frozen=True)
class _Answer:
    verdict: Verdict
    at: datetime


class ArchiveRelease:
    """Asks the archive's tables by the rules that decided on the request.

    A program that fetches a file in many parts does not ask each time: an answer is good for
    a while. If the archive does not answer, an earlier *yes* is good for longer.

    Parameters
    ----------
    records
        Knows MOUSs and people.
    clock
        Tells the time, UTC.
    fresh
        How long an answer is good.
    patience
        How long an earlier yes is good while the archive is away.
    """

    def __init__(
        self, *, records: EntitlementRecords, clock: Callable[[], datetime], fresh: timedelta, patience: timedelta
    ) -> None:
        self._records = records
        self._clock = clock
        self._fresh = fresh
        self._patience = patience
        self._lock = Lock()
        self._answers: OrderedDict[UUID, _Answer] = OrderedDict()

    def check(self, request: RestoreRequest) -> None:
        """Ask, unless an answer is fresh; see `Release.check`."""
        match self._verdict(request):
            case Refuse(reason=reason, detail=detail):
                log.warning("download_withheld", reason=reason, detail=detail, request_id=str(request.request_id))
                raise DeliveryWithheldError(reason, REASONS[reason].user)
            case Accept():
                return

    def _verdict(self, request: RestoreRequest) -> Verdict:
        now = self._clock()
        with self._lock:
            known = self._answers.get(request.request_id)
        if known is not None and now - known.at < self._fresh:
            return known.verdict
        try:
            answer = _Answer(self._ask(request, now), now)
        except DependencyAwayError as error:
            if known is None or isinstance(known.verdict, Refuse) or now - known.at >= self._patience:
                raise
            log.warning("release_not_checked_anew", cause=str(error), checked=known.at.isoformat())
            return known.verdict
        self._remember(request.request_id, answer)
        return answer.verdict

    def _ask(self, request: RestoreRequest, now: datetime) -> Verdict:
        return decide(facts_of(request, self._records, now=now))

    def _remember(self, request_id: UUID, answer: _Answer) -> None:
        with self._lock:
            self._answers[request_id] = answer
            self._answers.move_to_end(request_id)
            while len(self._answers) > MOST_REMEMBERED:
                self._answers.popitem(last=False)

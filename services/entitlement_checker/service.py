"""Accepts or refuses requests, and asks again just before the release of what was restored."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import structlog

from contracts.envelope import Event
from contracts.messages import (
    Message,
    ProductsReady,
    ReleaseGranted,
    ReleaseWithheld,
    RequestAccepted,
    RequestRefused,
    RequestSubmitted,
)
from contracts.messages.parts import RestoreRequest
from contracts.reasons import ReasonCode
from services.entitlement_checker.active import ActiveRequests
from services.entitlement_checker.settings import EntitlementCheckerSettings
from shared.archive_db import ArchiveDatabase
from shared.bus import Delivery, Subscription
from shared.entitlement.decide import Accept, Refuse, Verdict, decide, refuse_unasked
from shared.entitlement.delegees import QueriedDelegees
from shared.entitlement.records import ArchiveRecords, EntitlementRecords, facts_of
from shared.objects import ObjectStore
from shared.service import source_of

log = structlog.get_logger()


class EntitlementChecker:
    """Decides on requests by what the archive's tables say at the moment.

    Parameters
    ----------
    settings
        How many requests are decided at a time.
    records
        Knows MOUSs and people.
    active
        Knows who is being served.
    clock
        Tells the time, UTC: data is public from its release date on.
    """

    def __init__(
        self,
        *,
        settings: EntitlementCheckerSettings,
        records: EntitlementRecords,
        active: ActiveRequests,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._settings = settings
        self._records = records
        self._active = active
        self._clock = clock

    @property
    def name(self) -> str:
        """Name of the service and of its queue."""
        return "entitlement-checker"

    def subscriptions(self) -> Sequence[Subscription]:
        """Listen to requests, and to results that wait for their release."""
        topics = (RequestSubmitted.topic, ProductsReady.topic)
        return [
            Subscription(queue=self.name, topics=topics, handler=self.handle, concurrency=self._settings.concurrency)
        ]

    def handle(self, event: Event, _delivery: Delivery) -> list[Event]:
        """Decide on a request or on the release of its result.

        Raises
        ------
        DependencyAwayError
            If the archive's database does not answer: that is never a refusal.
        """
        match event.data:
            case RequestSubmitted(request=request):
                return self._begin(event, request)
            case ProductsReady() as ready:
                return self._end(event, ready)
            case other:
                raise TypeError(f"{self.name} does not handle {other.type_name()}")

    def _end(self, event: Event, ready: ProductsReady) -> list[Event]:
        """Decide on the release of a result, unless its request was cancelled or has ended."""
        if self._active.is_over(ready.request.request_id):
            log.info("request_is_over_already")
            return []
        return [event.derive(_release(ready, self.judge(ready.request)), source=source_of(self.name))]

    def _begin(self, event: Event, request: RestoreRequest) -> list[Event]:
        """Decide on a request; how often it is sent makes no difference, since its id says which one it is."""
        if self._active.is_over(request.request_id):
            log.info("request_is_over_already")
            return []
        verdict = self._unless_begun(request, self.judge(request))
        return [event.conclude(_answer(request, verdict), source=source_of(self.name))]

    def _unless_begun(self, request: RestoreRequest, verdict: Verdict) -> Verdict:
        """Refuse what may be had but is being made already; this comes after all other rules.

        Whoever has begun was accepted, and is again if it comes again and the tables have changed: the
        release asks anew.
        """
        if isinstance(verdict, Refuse):
            before = self._active.entitlement_of(request)
            return verdict if before is None else Accept(before)
        if (other := self._active.begin(request, verdict.entitlement)) is None:
            return verdict
        return Refuse(
            ReasonCode.ALREADY_ACTIVE,
            f"request {other.request_id} of helpdesk ticket {other.ticket} is under way since "
            f"{other.since:%Y-%m-%d %H:%M} UTC",
        )

    def judge(self, request: RestoreRequest) -> Verdict:
        """Ask the archive and decide; a request that needs no asking bothers nobody."""
        verdict = refuse_unasked(request) or decide(facts_of(request, self._records, now=self._clock()))
        match verdict:
            case Accept(entitlement=entitlement):
                log.info("entitlement_found", entitlement=entitlement)
            case Refuse(reason=reason, detail=detail):
                log.info("entitlement_denied", reason=reason, detail=detail)
        return verdict

    def is_ready(self) -> bool:
        """Whether the archive's database answers."""
        return self._records.is_ready()

    def close(self) -> None:
        """Release the database."""
        self._records.close()


def _answer(request: RestoreRequest, verdict: Verdict) -> Message:
    match verdict:
        case Accept(entitlement=entitlement):
            return RequestAccepted(request=request, entitlement=entitlement)
        case Refuse(reason=reason, detail=detail):
            return RequestRefused(request=request, reason=reason, detail=detail)


def _release(ready: ProductsReady, verdict: Verdict) -> Message:
    match verdict:
        case Accept(entitlement=entitlement):
            return ReleaseGranted(request=ready.request, blocks=ready.blocks, entitlement=entitlement)
        case Refuse(reason=reason, detail=detail):
            return ReleaseWithheld(request=ready.request, reason=reason, detail=detail)


def build(*, objects: ObjectStore, settings: EntitlementCheckerSettings | None = None) -> EntitlementChecker:
    """Make the service and its adapters from settings, or from the environment."""
    settings = settings or EntitlementCheckerSettings()
    database = ArchiveDatabase(settings=settings.database)
    records = ArchiveRecords(
        database=database,
        delivery_column=settings.delivery_column,
        delegees=QueriedDelegees(database=database, query=settings.delegee_query),
    )
    active = ActiveRequests(
        objects=objects, longest=timedelta(days=settings.active_days), clock=lambda: datetime.now(UTC)
    )
    return EntitlementChecker(settings=settings, records=records, active=active)

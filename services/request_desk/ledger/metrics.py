"""What the ledger shows to Prometheus."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime

from prometheus_client import CollectorRegistry

from services.request_desk.ledger.records import Counts, StuckRequest
from services.request_desk.ledger.states import BlockState, RequestState, Step
from services.request_desk.ledger.waiting import TAKERS
from shared.declared import GaugeMetric, Label, Metric

SHARES = (0.5, 0.95)
_STATE = Label("state", "a state of requests", tuple(RequestState))
_ACTIVE = Label("state", "a state that is no end", tuple(state for state in RequestState if state.is_active))
_BLOCK = Label("state", "a state of execution blocks", tuple(BlockState))
_STEP = Label("step", "a step of the way", tuple(Step))

REQUESTS = GaugeMetric(
    name="alma_restore_ledger_requests", unit="requests", meaning="Requests by state", labels=(_STATE,)
)
BLOCKS = GaugeMetric(
    name="alma_restore_ledger_blocks", unit="blocks", meaning="Execution blocks by state", labels=(_BLOCK,)
)
STEPS = GaugeMetric(
    name="alma_restore_ledger_steps", unit="requests", meaning="Requests by the step that goes on", labels=(_STEP,)
)
OLDEST = GaugeMetric(
    name="alma_restore_ledger_oldest_seconds",
    unit="seconds",
    meaning="Age of the oldest request in a state that is no end; 0 if there is none",
    labels=(_ACTIVE,),
)
WAITING = GaugeMetric(
    name="alma_restore_ledger_waiting_seconds",
    unit="seconds",
    meaning="Age of the oldest event on a request's way that a service has not taken up, or put off; 0 if none",
    labels=(Label("queue", "the service in whose queue it waits", TAKERS),),
)
STUCK = GaugeMetric(
    name="alma_restore_ledger_stuck_requests",
    unit="requests",
    meaning="Requests for which a step takes longer than it may",
    labels=(_STEP,),
)
DELIVERY = GaugeMetric(
    name="alma_restore_ledger_delivery_seconds",
    unit="seconds",
    meaning="Within how many seconds of being submitted requests were delivered, of those delivered in the last day",
    labels=(Label("share", "share of the requests that took no longer", tuple(map(str, SHARES))),),
)
ILLEGAL = GaugeMetric(
    name="alma_restore_ledger_illegal_moves",
    unit="events",
    meaning="Events that contradict what is known: recorded, not applied",
)
UNREADABLE = GaugeMetric(
    name="alma_restore_ledger_unreadable_events", unit="events", meaning="Events that could not be taken in"
)
MISSED = GaugeMetric(
    name="alma_restore_ledger_missed_events",
    unit="events",
    meaning="Events that were gone from the journal before they were read",
)
METRICS: tuple[Metric, ...] = (REQUESTS, BLOCKS, STEPS, OLDEST, WAITING, STUCK, DELIVERY, ILLEGAL, UNREADABLE, MISSED)


class LedgerMetrics:
    """Counts requests and execution blocks by state and step.

    Parameters
    ----------
    registry
        Where the metrics are declared.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = REQUESTS.made(registry)
        self._blocks = BLOCKS.made(registry)
        self._steps = STEPS.made(registry)
        self._oldest = OLDEST.made(registry)
        self._waiting = WAITING.made(registry)
        self._stuck = STUCK.made(registry)
        self._delivery = DELIVERY.made(registry)
        self._illegal = ILLEGAL.made(registry)
        self._unreadable = UNREADABLE.made(registry)
        self._missed = MISSED.made(registry)

    def show(self, counts: Counts, stuck: Sequence[StuckRequest], *, now: datetime) -> None:
        """Set all to what was counted."""
        for state in RequestState:
            self._requests.labels(state.value).set(counts.requests.get(state, 0))
        for block in BlockState:
            self._blocks.labels(block.value).set(counts.blocks.get(block, 0))
        for step in Step:
            self._steps.labels(step.value).set(counts.steps.get(step, 0))
            self._stuck.labels(step.value).set(sum(each.step is step for each in stuck))
        for state in RequestState:
            if state.is_active:
                oldest = counts.oldest.get(state)
                self._oldest.labels(state.value).set(0 if oldest is None else (now - oldest).total_seconds())
        self._illegal.set(counts.illegal_moves)
        self._unreadable.set(counts.unreadable)
        self._missed.set(counts.missed)

    def show_waiting(self, since: Mapping[str, datetime], *, now: datetime) -> None:
        """Show how long the oldest event waits for each service."""
        for service in TAKERS:
            seconds = (now - since[service]).total_seconds() if service in since else 0.0
            self._waiting.labels(service).set(max(0.0, seconds))

    def show_deliveries(self, seconds: Sequence[float]) -> None:
        """Show how long requests took; no number if none was delivered."""
        ordered = sorted(seconds)
        for share in SHARES:
            value = ordered[math.ceil(share * len(ordered)) - 1] if ordered else math.nan
            self._delivery.labels(str(share)).set(value)

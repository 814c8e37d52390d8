"""What the ledger shows to Prometheus."""

from collections.abc import Sequence
from datetime import datetime

from prometheus_client import CollectorRegistry, Gauge

from services.request_desk.ledger.records import Counts, StuckRequest
from services.request_desk.ledger.states import BlockState, RequestState, Step


class LedgerMetrics:
    """Counts requests and execution blocks by state and step.

    Parameters
    ----------
    registry
        Where the metrics are declared.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"alma_restore_ledger_{name}", text, labels, registry=registry)

        self._requests = gauge("requests", "Requests by state", "state")
        self._blocks = gauge("blocks", "Execution blocks by state", "state")
        self._steps = gauge("steps", "Requests by the step that goes on", "step")
        self._oldest = gauge("oldest_seconds", "Age of the oldest request in a state that is no end", "state")
        self._stuck = gauge("stuck_requests", "Requests for which a step takes longer than it may", "step")
        self._illegal = gauge("illegal_moves", "Events that contradict what is known: recorded, not applied")
        self._unreadable = gauge("unreadable_events", "Events that could not be taken in")
        self._missed = gauge("missed_events", "Events that were gone from the journal before they were read")

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

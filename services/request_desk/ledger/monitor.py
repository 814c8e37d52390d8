"""Looks for stuck requests again and again: each is told once in the log, and all are counted."""

from datetime import timedelta
from threading import Event as Flag
from threading import Thread
from uuid import UUID

import structlog

from services.request_desk.ledger.base import Ledger
from services.request_desk.ledger.metrics import LedgerMetrics
from services.request_desk.ledger.records import StuckRequest
from shared.errors import RestoreError

log = structlog.get_logger(__name__)

_DELIVERIES = timedelta(days=1)
"""Deliveries of this time tell how long a request takes now."""


class Monitor:
    """Watches over the ledger in a thread.

    Parameters
    ----------
    ledger
        What is looked through.
    metrics
        Where it is counted.
    interval
        Seconds between two looks.
    """

    def __init__(self, *, ledger: Ledger, metrics: LedgerMetrics, interval: float) -> None:
        self._ledger = ledger
        self._metrics = metrics
        self._interval = interval
        self._told: set[tuple[UUID, str]] = set()
        self._ending = Flag()
        self._thread: Thread | None = None

    def begin(self) -> None:
        """Begin to look."""
        self._thread = Thread(target=self._run, name="ledger-monitor", daemon=True)
        self._thread.start()

    def rest(self) -> None:
        """Look no more."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join(10)
            self._thread = None

    def look(self) -> tuple[StuckRequest, ...]:
        """Look once: set the metrics, and tell what is newly stuck and what goes forward again."""
        counts, stuck = self._ledger.counts(), self._ledger.stuck()
        self._metrics.show(counts, stuck, now=self._ledger.now())
        self._metrics.show_waiting(self._ledger.waiting_since(), now=self._ledger.now())
        self._metrics.show_deliveries(self._ledger.delivery_seconds(self._ledger.now() - _DELIVERIES))
        now = {(each.request.id, each.step.value) for each in stuck}
        for each in stuck:
            if (each.request.id, each.step.value) not in self._told:
                log.error(
                    "request_stuck",
                    request_id=str(each.request.id),
                    mous_uid=each.request.mous,
                    eb_uid=each.eb_uid,
                    step=each.step.value,
                    since=each.since.isoformat(),
                    limit=each.limit,
                    consequence="nothing happens for it until its cause is removed or somebody sends it on again",
                )
        for request_id, step in self._told - now:
            log.info("request_not_stuck_any_more", request_id=str(request_id), step=step)
        self._told = now
        return stuck

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                self.look()
            except RestoreError as error:
                log.warning("ledger_cannot_be_watched", reason=str(error))
            except Exception:  # the next look may find what this one could not
                log.exception("ledger_monitor_failed")
            self._ending.wait(self._interval)

"""What the desk shows of trigger files to Prometheus; labels never carry names of files."""

from collections.abc import Mapping
from enum import StrEnum

from prometheus_client import CollectorRegistry

from shared.declared import CounterMetric, GaugeMetric, Label, Metric


class Stuck(StrEnum):
    """Why a trigger file stays where it lies."""

    NOT_ALLOWED = "not_allowed"
    FAULT = "fault"


TRIGGERS = CounterMetric(
    name="alma_restore_triggers",
    unit="files",
    meaning="Trigger files by what became of them",
    labels=(Label("outcome", "submitted; rejected (moved aside, nobody is mailed)", ("submitted", "rejected")),),
)
STUCK = GaugeMetric(
    name="alma_restore_triggers_stuck",
    unit="files",
    meaning="Trigger files that the last look had to leave where they lie",
    labels=(Label("cause", "not_allowed (to move or remove it); fault (an error nobody foresaw)", tuple(Stuck)),),
)
METRICS: tuple[Metric, ...] = (TRIGGERS, STUCK)


class TriggerMetrics:
    """Counts trigger files by what becomes of them.

    Parameters
    ----------
    registry
        Where the metrics are declared.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._triggers = TRIGGERS.made(registry)
        self._stuck = STUCK.made(registry)

    def submitted(self) -> None:
        """Count a file that became a request."""
        self._triggers.labels("submitted").inc()

    def rejected(self) -> None:
        """Count a file that was moved aside."""
        self._triggers.labels("rejected").inc()

    def show_stuck(self, stuck: Mapping[Stuck, int]) -> None:
        """Set how many files a look had to leave."""
        for cause in Stuck:
            self._stuck.labels(cause.value).set(stuck.get(cause, 0))

"""What the casa-runner counts; labels never carry ids."""

import math
import shutil
from pathlib import Path

from prometheus_client import CollectorRegistry

from contracts.messages.parts import BlockFailure, RestoredBlock
from services.casa_runner.single_pass import Rule
from services.casa_runner.task import Ended
from shared.declared import CounterMetric, GaugeMetric, HistogramMetric, Label, Metric

_METHOD = Label("method", "the way: single pass, reference, pipeline, scriptForPI; `none` if none was chosen")

RESTORES = CounterMetric(
    name="alma_restore_casa_restores",
    unit="restores",
    meaning="Restores, by outcome, by method and by CASA version",
    labels=(
        Label("outcome", "restored, reused, cancelled, or the reason code of a failure"),
        _METHOD,
        Label("casa", "version of CASA that worked; `none` if it is not known"),
    ),
)
RULES = CounterMetric(
    name="alma_restore_casa_reference_rules",
    unit="restores",
    meaning="Restores that were not done in a single pass, by the reason",
    labels=(Label("rule", "a rule of the single pass, or what was ordered", tuple(Rule)),),
)
SECONDS = HistogramMetric(
    name="alma_restore_casa_seconds",
    unit="seconds",
    meaning="Seconds that CASA worked on a restore that came out well",
    labels=(_METHOD,),
    buckets=(5, 15, 30, 60, 120, 300, 600, 1800, 3600, 2 * 3600, 4 * 3600, 8 * 3600, 16 * 3600, 48 * 3600),
)
DELIVERED = CounterMetric(
    name="alma_restore_casa_delivered_bytes", unit="bytes", meaning="Bytes of the tars of restored blocks"
)
SCRATCH_SIZE = GaugeMetric(
    name="alma_restore_casa_scratch_size_bytes", unit="bytes", meaning="Size of the file system that CASA works on"
)
SCRATCH_FREE = GaugeMetric(name="alma_restore_casa_scratch_free_bytes", unit="bytes", meaning="What is free of it")
METRICS: tuple[Metric, ...] = (RESTORES, RULES, SECONDS, DELIVERED, SCRATCH_SIZE, SCRATCH_FREE)


class RunnerMetrics:
    """Counts what becomes of restores, and how long CASA works.

    Parameters
    ----------
    registry
        Where the metrics are declared.
    scratch
        Where CASA works; nothing is told of it if None.
    """

    def __init__(self, registry: CollectorRegistry, *, scratch: Path | None = None) -> None:
        self.restores = RESTORES.made(registry)
        self.rules = RULES.made(registry)
        self.seconds = SECONDS.made(registry)
        self.bytes = DELIVERED.made(registry)
        if scratch is not None:
            SCRATCH_SIZE.made(registry).set_function(lambda: _usage(scratch)[0])
            SCRATCH_FREE.made(registry).set_function(lambda: _usage(scratch)[1])

    def ended(self, ended: Ended) -> None:
        """Count a restore that came to its end."""
        outcome = ended.outcome.reason.value if isinstance(ended.outcome, BlockFailure) else "restored"
        self.restores.labels(outcome, ended.method or "none", ended.casa_version or "none").inc()

    def reused(self, found: RestoredBlock) -> None:
        """Count a restore that had been done before."""
        self.restores.labels("reused", found.method, found.casa_version).inc()

    def cancelled(self) -> None:
        """Count a restore that nobody wants any more."""
        self.restores.labels("cancelled", "none", "none").inc()


def _usage(scratch: Path) -> tuple[float, float]:
    """Return size and free bytes; a disk that is away must not keep all other metrics from being shown."""
    try:
        usage = shutil.disk_usage(scratch)
    except OSError:
        return math.nan, math.nan
    return usage.total, usage.free

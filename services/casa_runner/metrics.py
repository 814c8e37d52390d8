"""What the casa-runner counts; labels never carry ids."""

from prometheus_client import CollectorRegistry, Counter, Histogram

_BUCKETS = (5, 15, 30, 60, 120, 300, 600, 1800, 3600, 2 * 3600, 4 * 3600, 8 * 3600, 16 * 3600, 48 * 3600)


class RunnerMetrics:
    """Counts what becomes of restores, and how long CASA works.

    Parameters
    ----------
    registry
        Where the metrics are declared.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.restores = Counter(
            "alma_restore_casa_restores",
            "Restores, by outcome (restored, reused, cancelled or the reason of a failure) and by method",
            ("outcome", "method"),
            registry=registry,
        )
        self.rules = Counter(
            "alma_restore_casa_reference_rules",
            "Restores that were not done in a single pass, by the reason: a rule, or what was ordered",
            ("rule",),
            registry=registry,
        )
        self.seconds = Histogram(
            "alma_restore_casa_seconds",
            "Seconds that CASA worked on a restore that came out well",
            ("method",),
            buckets=_BUCKETS,
            registry=registry,
        )
        self.bytes = Counter(
            "alma_restore_casa_delivered_bytes", "Bytes of the tars of restored blocks", registry=registry
        )

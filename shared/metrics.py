"""Metrics that every service has; labels never carry ids."""

from prometheus_client import CollectorRegistry, Counter, Histogram

_HANDLER_BUCKETS = (0.005, 0.02, 0.1, 0.5, 2, 10, 30, 60, 300, 900, 3600, 4 * 3600, 12 * 3600)


class ServiceMetrics:
    """Counts what becomes of messages and how long handlers take.

    Parameters
    ----------
    registry
        Where the metrics are declared; one per process.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.messages = Counter(
            "alma_restore_messages",
            "Messages handled, by outcome: done, later (a dependency is away), failed (an error nobody foresaw)",
            ("service", "topic", "outcome"),
            registry=registry,
        )
        self.seconds = Histogram(
            "alma_restore_handler_seconds",
            "Seconds from the delivery of a message to the end of its handler",
            ("service", "topic"),
            buckets=_HANDLER_BUCKETS,
            registry=registry,
        )

"""What the notifier counts; labels never carry ids."""

from prometheus_client import CollectorRegistry

from contracts.messages.parts import MailKind
from shared.declared import CounterMetric, Label, Metric

MAILS = CounterMetric(
    name="alma_restore_mails",
    unit="recipients",
    meaning="Recipients of mails, by what a mail tells and what became of it",
    labels=(
        Label("kind", "what the mail tells", tuple(MailKind)),
        Label(
            "outcome",
            "sent; refused (never to be taken, support is told); deferred (tried again later)",
            ("sent", "refused", "deferred"),
        ),
    ),
)
METRICS: tuple[Metric, ...] = (MAILS,)


class MailMetrics:
    """Counts mails by recipient.

    Parameters
    ----------
    registry
        Where the metrics are declared.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._mails = MAILS.made(registry)

    def posted(self, kind: MailKind, *, sent: int = 0, refused: int = 0, deferred: int = 0) -> None:
        """Count what became of a mail."""
        for outcome, number in (("sent", sent), ("refused", refused), ("deferred", deferred)):
            self._mails.labels(kind, outcome).inc(number)

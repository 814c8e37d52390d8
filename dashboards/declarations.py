"""Every metric that the code declares, by where it is declared."""

from contracts.flow import QUEUES
from services.casa_runner import metrics as casa_runner
from services.ngas_fetcher import metrics as ngas_fetcher
from services.notifier import metrics as notifier
from services.request_desk.intake import metrics as intake
from services.request_desk.ledger import metrics as ledger
from shared import metrics as runtime
from shared.declared import Metric
from shared.objects import metered

SERVICES = tuple(QUEUES)

DECLARED: dict[str, tuple[Metric, ...]] = {
    "every service": (*runtime.METRICS, *metered.METRICS),
    "request-desk, of its ledger": ledger.METRICS,
    "request-desk, of trigger files": intake.METRICS,
    "ngas-fetcher": ngas_fetcher.METRICS,
    "casa-runner": casa_runner.METRICS,
    "notifier": notifier.METRICS,
}
"""Metrics by who has them."""


def exposed() -> frozenset[str]:
    """Name every series that our processes may show, without the library's own."""
    return frozenset(name for metrics in DECLARED.values() for metric in metrics for name in metric.exposed)

"""The page about the ledger tells its settings and metrics as they are."""

from pathlib import Path

from prometheus_client import CollectorRegistry

from services.request_desk.ledger.metrics import LedgerMetrics
from services.request_desk.ledger.settings import LedgerSettings
from tests.support.settings_tables import HEAD, ROOT, settings_of

PAGE = Path(ROOT / "docs" / "ledger.md")


def test_every_setting_of_the_ledger_is_on_its_page() -> None:
    table = HEAD + "".join(f"{setting.row}\n" for setting in settings_of(LedgerSettings))
    assert table in PAGE.read_text()


def test_every_metric_of_the_ledger_is_on_its_page() -> None:
    registry, page = CollectorRegistry(), PAGE.read_text()
    LedgerMetrics(registry)
    assert [metric.name for metric in registry.collect() if f"`{metric.name}`" not in page] == []

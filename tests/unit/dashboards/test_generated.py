"""What is generated is up to date, and what alerts and pages say fits together."""

import json
import re

import pytest
import yaml

from contracts.reasons import ReasonCode
from dashboards.alerts import ALERTS, Alert
from dashboards.declarations import DECLARED, SERVICES, exposed
from dashboards.drawing import draw
from dashboards.generate import GRAFANA, ROOT, RULES, boards, documents
from dashboards.panels import Board

MONITORING = (ROOT / "docs" / "monitoring.md").read_text()
OURS = re.compile(r"\balma_restore_[a-z_]+\b")


def test_every_generated_file_is_as_the_tables_say() -> None:
    stale = [path.name for path, text in documents().items() if not path.exists() or path.read_text() != text]
    assert stale == [], "write them anew with `python -m dashboards.generate`"


def test_no_file_is_left_of_a_dashboard_that_is_no_more() -> None:
    assert {path.stem for path in GRAFANA.iterdir()} == {"flow", *SERVICES}


@pytest.mark.parametrize("board", boards(), ids=lambda board: board.name)
def test_a_dashboard_is_drawn_alike_each_time_with_panels_of_ids_of_their_own(board: Board) -> None:
    text = draw(board)
    assert draw(board) == text
    panels = json.loads(text)["panels"]
    ids = [panel["id"] for panel in panels]
    assert len(set(ids)) == len(ids)
    assert all(panel["targets"] for panel in panels if panel["type"] != "row")


def test_expressions_name_declared_metrics_only() -> None:
    texts = [path.read_text() for path in documents() if path.suffix in {".json", ".yml"}]
    assert {name for text in texts for name in OURS.findall(text)} <= exposed()


def test_a_metric_is_declared_once() -> None:
    names = [metric.name for metrics in DECLARED.values() for metric in metrics]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_an_alert_has_its_page_and_is_in_the_table(alert: Alert) -> None:
    page = (ROOT / alert.runbook).read_text()
    assert f"`{alert.name}`" in page
    for part in ("## What users notice", "## What to look at", "## What to do"):
        assert part in page
    assert f"| `{alert.name}` | {alert.severity} |" in MONITORING
    assert f"(runbook/{alert.page})" in MONITORING


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_an_alert_brings_what_to_do_where_there_is_no_site_to_link_to(alert: Alert) -> None:
    (group,) = yaml.safe_load(documents()[RULES])["groups"]
    told = next(rule["annotations"] for rule in group["rules"] if rule["alert"] == alert.name)
    assert "runbook_url" not in told
    looks, acts = told["runbook"].split("\n\nWhat to do\n\n")
    assert looks.startswith("What to look at\n\n- ")
    assert acts.startswith("1. ")
    pages = re.findall(r"\((docs/[^)]*)\)", told["runbook"])
    assert [page for page in pages if not (ROOT / page).is_file()] == []
    assert "](" not in told["runbook"]


def test_alerts_link_to_the_documents_site_where_it_has_an_address() -> None:
    text = documents("https://docs.example.org/restore/")[RULES]
    assert "runbook: " not in text
    links = re.findall(r"runbook_url: (\S+)", text)
    # The site has a folder for each page.
    pages = [re.fullmatch(r"https://docs\.example\.org/restore/(.*)/", link) for link in links]
    assert [page and f"docs/{page[1]}.md" for page in pages] == [alert.runbook for alert in ALERTS]


def test_a_page_of_the_runbook_belongs_to_an_alert() -> None:
    assert {path.name for path in (ROOT / "docs" / "runbook").iterdir()} == {alert.page for alert in ALERTS}


def test_a_log_event_that_the_runbook_names_is_logged_somewhere() -> None:
    logged = "".join(path.read_text() for top in ("services", "shared") for path in (ROOT / top).rglob("*.py"))
    texts = [path.read_text() for path in (ROOT / "docs" / "runbook").iterdir()]
    events = {name for text in texts for name in re.findall(r"`([a-z]+(?:_[a-z]+)+)`", text)}
    known = exposed() | {code.value for code in ReasonCode}
    assert [name for name in sorted(events - known) if f'"{name}"' not in logged] == []

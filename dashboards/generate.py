"""Writes dashboards and rules anew: ``python -m dashboards.generate``."""

import argparse
from pathlib import Path

from dashboards.declarations import SERVICES
from dashboards.drawing import draw
from dashboards.flow_board import flow_board
from dashboards.panels import Board
from dashboards.rules import rules, rules_of_kubernetes
from dashboards.service_board import service_board

ROOT = Path(__file__).parents[1]
GRAFANA = ROOT / "dashboards" / "grafana"
KUBERNETES = ROOT / "k8s" / "components" / "alerts" / "prometheus-rule.yaml"
RULES = ROOT / "dashboards" / "prometheus" / "alma-restore.yml"


def boards() -> tuple[Board, ...]:
    """Return every dashboard."""
    return (flow_board(), *(service_board(service) for service in SERVICES))


def documents(site: str | None = None) -> dict[Path, str]:
    """Return every file that is generated, by where it goes; alerts link to the documents' site, if there is one."""
    drawn = {GRAFANA / f"{board.name}.json": draw(board) for board in boards()}
    return drawn | {RULES: rules(site), KUBERNETES: rules_of_kubernetes(site)}


def main() -> None:
    """Write them all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--site", help="address of the documents' site, to whose pages of the runbook alerts link")
    for path, text in documents(parser.parse_args().site).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


if __name__ == "__main__":
    main()

"""Writes Prometheus's rules from the table of alerts."""

from typing import Any

import yaml

from dashboards.alerts import ALERTS, Alert

_HEAD = "# Generated from dashboards/alerts.py by `python -m dashboards.generate`: edit that.\n"


def rules(site: str | None = None) -> str:
    """Return the rules as Prometheus reads them; the same alerts give the same bytes.

    Parameters
    ----------
    site
        Address of the documents' site, to whose pages alerts link; if None they name the files of the project.
    """
    return _written(_groups(site))


def rules_of_kubernetes(site: str | None = None) -> str:
    """Return the same as an object that Prometheus's operator reads."""
    return _written(
        {
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "PrometheusRule",
            "metadata": {"name": "alma-restore"},
            "spec": _groups(site),
        }
    )


def _groups(site: str | None) -> dict[str, Any]:
    return {"groups": [{"name": "alma-restore", "rules": [_rule(alert, site) for alert in ALERTS]}]}


def _written(document: dict[str, Any]) -> str:
    text: str = yaml.safe_dump(document, sort_keys=False, width=1000, allow_unicode=True)
    return _HEAD + text


def _rule(alert: Alert, site: str | None) -> dict[str, Any]:
    return {
        "alert": alert.name,
        "expr": alert.expr,
        "for": alert.lasting,
        "labels": {"severity": alert.severity},
        "annotations": {
            "summary": alert.summary,
            "consequence": alert.consequence,
            "action": alert.action,
            "runbook_url": alert.runbook if site is None else alert.runbook_at(site),
        },
    }

"""Writes Prometheus's rules from the table of alerts."""

from typing import Any

import yaml

from dashboards.alerts import ALERTS, Alert

_HEAD = "# Generated from dashboards/alerts.py by `python -m dashboards.generate`: edit that.\n"


def rules() -> str:
    """Return the rules as Prometheus reads them; the same alerts give the same bytes."""
    group = {"name": "alma-restore", "rules": [_rule(alert) for alert in ALERTS]}
    text: str = yaml.safe_dump({"groups": [group]}, sort_keys=False, width=1000, allow_unicode=True)
    return _HEAD + text


def _rule(alert: Alert) -> dict[str, Any]:
    return {
        "alert": alert.name,
        "expr": alert.expr,
        "for": alert.lasting,
        "labels": {"severity": alert.severity},
        "annotations": {
            "summary": alert.summary,
            "consequence": alert.consequence,
            "action": alert.action,
            "runbook_url": alert.runbook,
        },
    }

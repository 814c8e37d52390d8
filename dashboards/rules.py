"""Writes Prometheus's rules from the table of alerts."""

import re
from pathlib import Path
from typing import Any

import yaml

from dashboards.alerts import ALERTS, Alert

_ROOT = Path(__file__).parents[1]
_LINK = re.compile(r"\[([^\]]*)\]\(([^):]*)\)")
_HEAD = "# Generated from dashboards/alerts.py and docs/runbook by `python -m dashboards.generate`: edit those.\n"


def rules(site: str | None = None) -> str:
    """Return the rules as Prometheus reads them; the same alerts give the same bytes.

    Parameters
    ----------
    site
        Address of the documents' site, to whose pages alerts link; if None they bring what their pages say.
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


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as they are."""


_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None),
)


def _written(document: dict[str, Any]) -> str:
    text: str = yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=1000, allow_unicode=True)
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
            **({"runbook": _steps(alert)} if site is None else {"runbook_url": alert.runbook_at(site)}),
        },
    }


def _steps(alert: Alert) -> str:
    """Return what the alert's page says of what to look at and to do; other pages are named by where they lie."""
    page = _ROOT / alert.runbook
    _, heading, steps = page.read_text().partition("## What to look at\n")
    if not heading:
        raise ValueError(f"{alert.runbook} has no part `## What to look at`")

    def named(link: re.Match[str]) -> str:
        return f"{link[1]} ({(page.parent / link[2]).resolve().relative_to(_ROOT)})"

    return _LINK.sub(named, f"{heading}{steps}".replace("## ", "")).strip()

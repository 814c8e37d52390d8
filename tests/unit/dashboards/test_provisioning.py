"""Grafana finds in the compose project what its dashboards ask: their files, and the source of their figures."""

import json
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from dashboards.declarations import SERVICES
from dashboards.generate import GRAFANA, ROOT

SERVICES_OF_COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
PROVISIONING = "/etc/grafana/provisioning"
"""Where Grafana's image looks for it."""


def mounted() -> dict[str, str]:
    """Say which folder of the project stands at a path of Grafana's container."""
    parts = (volume.split(":") for volume in SERVICES_OF_COMPOSE["grafana"]["volumes"])
    return {path: source for source, path, *_ in parts}


def provisioned(what: str) -> dict[str, Any]:
    """Read the only entry of its kind."""
    (file,) = (ROOT / mounted()[PROVISIONING] / what).iterdir()
    document = yaml.safe_load(file.read_text())
    assert document["apiVersion"] == 1
    (entry,) = document["providers" if what == "dashboards" else what]
    return dict(entry)


@pytest.fixture(scope="module")
def found() -> dict[str, dict[str, Any]]:
    """What Grafana finds, by the name of the file."""
    provider = provisioned("dashboards")
    assert provider["type"] == "file"
    folder = ROOT / mounted()[provider["options"]["path"]]
    return {path.stem: json.loads(path.read_text()) for path in folder.rglob("*.json")}


def test_there_is_a_dashboard_of_each_service_and_one_of_the_flow(found: dict[str, dict[str, Any]]) -> None:
    assert found.keys() == {"flow", *SERVICES}
    for name in SERVICES:
        assert name in found[name]["title"]


@pytest.mark.parametrize("member", ["uid", "title"])
def test_no_dashboard_takes_the_place_of_another(found: dict[str, dict[str, Any]], member: str) -> None:
    values = [dashboard[member] for dashboard in found.values()]
    assert len(set(values)) == len(values)
    assert all(0 < len(value) <= 40 for value in values) or member != "uid"  # Grafana refuses longer ones


def test_every_panel_asks_the_source_that_there_is(found: dict[str, dict[str, Any]]) -> None:
    source = provisioned("datasources")
    wanted = {"type": source["type"], "uid": source["uid"]}
    panels = [panel for dashboard in found.values() for panel in dashboard["panels"] if panel["type"] != "row"]
    assert {panel["type"] for panel in panels} == {"stat", "timeseries"}
    for panel in panels:
        assert panel["datasource"] == wanted, panel["title"]
        for target in panel["targets"]:
            assert target.get("datasource", wanted) == wanted, panel["title"]


def test_the_source_is_the_prometheus_of_the_project() -> None:
    source = provisioned("datasources")
    assert (source["type"], source["access"]) == ("prometheus", "proxy")
    url = urlsplit(source["url"])
    command = SERVICES_OF_COMPOSE[url.hostname]["command"]
    assert f"the data source's uid is `{source['uid']}`" in (ROOT / "docs" / "monitoring.md").read_text()
    assert (url.scheme, f"--web.listen-address=:{url.port}" in command) == ("http", True)


def test_dashboards_are_generated_where_they_are_mounted() -> None:
    assert (ROOT / mounted()[provisioned("dashboards")["options"]["path"]]).resolve() == GRAFANA

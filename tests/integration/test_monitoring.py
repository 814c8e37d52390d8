"""Every panel and every alarm shows something when real services run under a real Prometheus."""

import re
from collections.abc import Iterator
from itertools import chain
from math import isnan
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from dashboards.alerts import ALERTS
from dashboards.declarations import exposed
from dashboards.generate import boards
from dashboards.panels import Board
from tests.support.prometheus import InvalidQueryError
from tests.support.watched_site import WatchedSite, watched

ID = re.compile(r"uid_*:?/*_*A00|X[0-9a-f]{2,}|[0-9a-f]{8}-[0-9a-f]{4}|@|/tmp|[.]tar|ALMA-\d")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WatchedSite]:
    with watched(tmp_path_factory.mktemp("watched")) as site:
        yield site


def unusable(site: WatchedSite, expressions: list[str]) -> list[str]:
    """Return expressions that are wrong, or to which there is nothing, or no number."""
    found = []
    for expr in expressions:
        try:
            values = [float(series["value"][1]) for series in site.prometheus.query(expr)]
            if not values:
                found.append(f"empty: {expr}")
            elif all(map(isnan, values)):
                found.append(f"no number: {expr}")
        except InvalidQueryError as error:
            found.append(f"invalid: {expr}: {error}")
    return found


@pytest.mark.parametrize("board", boards(), ids=lambda board: board.name)
def test_every_panel_shows_something(board: Board, site: WatchedSite) -> None:
    panels = chain.from_iterable(row.panels for row in board.rows)
    assert unusable(site, [query.expr for panel in panels for query in panel.queries]) == []


def test_what_every_alert_watches_is_there(site: WatchedSite) -> None:
    assert unusable(site, [signal for alert in ALERTS for signal in alert.signals]) == []


def test_an_expression_that_is_wrong_or_of_nothing_is_noticed(site: WatchedSite) -> None:
    assert len(unusable(site, ["alma_restore_nothing", "sum by ((", "vector(0) / vector(0)"])) == 3
    assert unusable(site, ["vector(0) / vector(0) or up"]) == []


def test_prometheus_evaluates_every_alert(site: WatchedSite) -> None:
    evaluated = site.prometheus.rules()
    assert {rule["name"] for rule in evaluated} == {alert.name for alert in ALERTS}
    assert [rule for rule in evaluated if rule["health"] == "err"] == []


def test_no_label_of_a_real_scrape_carries_an_id_and_what_is_shown_is_declared(site: WatchedSite) -> None:
    shown = set[str]()
    for replica in site.deployment.replicas:
        text = urlopen(f"http://{replica.address}/metrics", timeout=10).read().decode()
        for sample in chain.from_iterable(family.samples for family in text_string_to_metric_families(text)):
            shown.add(sample.name)
            assert not [value for value in sample.labels.values() if ID.search(value)], sample
    ours = {name for name in shown if name.startswith("alma_restore_") and not name.endswith("_created")}
    assert ours <= exposed()
    assert exposed() - ours == set()


def test_a_message_that_failed_is_among_the_reasons(site: WatchedSite) -> None:
    series = site.prometheus.query('alma_restore_answers_total{reason!="none"}')
    reasons = {one["metric"]["reason"] for one in series}
    assert {"casa_crashed", "not_entitled"} <= reasons

"""A collector of spans is asked as services ask it; that it is away is a warning, since all else works."""

from collections.abc import Mapping

import pytest

from shared.findings import Finding, Verdict
from shared.trace_examining import examine_traces
from shared.tracing_settings import TracingSettings
from tests.support.collector import collecting


def examined(monkeypatch: pytest.MonkeyPatch, environment: Mapping[str, str]) -> list[Finding]:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return list(examine_traces(TracingSettings()))


def test_a_collector_that_takes_spans_is_well_and_gets_none(monkeypatch: pytest.MonkeyPatch) -> None:
    batches: list[int] = []
    with collecting(lambda spans: batches.append(len(spans))) as environment:
        (found,) = examined(monkeypatch, environment)
    assert (found.check, found.verdict, batches) == ("traces: collector", Verdict.OK, [0])


@pytest.mark.parametrize(
    ("place", "complaints"),
    [
        ("http://127.0.0.1:1/v1/traces", ["127.0.0.1", "/v1/traces", "refused"]),
        ("{endpoint}/elsewhere", ["{endpoint}/elsewhere", "404"]),
        ("collector:4318", ["collector:4318"]),
    ],
)
def test_a_collector_that_is_away_or_takes_none_is_a_warning_with_its_address(
    place: str, complaints: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with collecting(lambda _: None) as environment:
        endpoint = environment["OTEL_EXPORTER_OTLP_ENDPOINT"]
        place = place.format(endpoint=endpoint)
        (found,) = examined(monkeypatch, environment | {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": place})
    assert found.verdict is Verdict.WARN
    assert [each for each in complaints if each.format(endpoint=endpoint) not in found.found] == []
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in found.advice


@pytest.mark.parametrize("environment", [{}, {"OTEL_TRACES_EXPORTER": "console"}])
def test_nothing_is_asked_where_spans_go_to_no_collector(
    environment: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert examined(monkeypatch, environment) == []

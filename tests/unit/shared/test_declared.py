"""Metrics are declared once, and their labels never carry ids."""

import pytest
from prometheus_client import CollectorRegistry

from shared.declared import CounterMetric, GaugeMetric, HistogramMetric, Label, Metric, UnboundedLabelError

OUTCOME = Label("outcome", "what became of it", ("good", "bad"))


@pytest.mark.parametrize("name", ["request_id", "mous_uid", "uid", "key", "file", "ticket", "user", "trace_id", "path"])
def test_a_label_that_would_carry_ids_cannot_be_declared(name: str) -> None:
    with pytest.raises(UnboundedLabelError, match=name):
        Label(name, "which one")


@pytest.mark.parametrize("name", ["service", "topic", "outcome", "reason", "method", "host", "casa", "width", "valid"])
def test_a_label_of_few_values_can(name: str) -> None:
    assert Label(name, "of what sort").name == name


def test_series_whose_labels_are_known_are_there_before_anything_happens() -> None:
    registry = CollectorRegistry()
    CounterMetric(name="one", unit="things", meaning="Things", labels=(OUTCOME,)).made(registry)
    assert [registry.get_sample_value("one_total", {"outcome": value}) for value in OUTCOME.values] == [0, 0]


@pytest.mark.parametrize(
    "metric",
    [
        CounterMetric(name="a", unit="things", meaning="Things"),
        GaugeMetric(name="b", unit="things", meaning="Things"),
        HistogramMetric(name="c", unit="seconds", meaning="Seconds", buckets=(1, 2)),
    ],
    ids=lambda metric: metric.kind,
)
def test_a_metric_tells_the_names_that_are_exposed(metric: Metric) -> None:
    registry = CollectorRegistry()
    metric.made(registry)  # type: ignore[attr-defined]  # each kind makes its own
    shown = {sample.name for family in registry.collect() for sample in family.samples}
    assert shown - {f"{metric.name}_created"} == set(metric.exposed)

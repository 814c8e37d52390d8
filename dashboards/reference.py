"""Writes the reference page of metrics from their declarations."""

from collections.abc import Iterator

from dashboards.declarations import DECLARED
from shared.declared import HistogramMetric, Metric

_HEAD = """# Metrics

Generated from the declarations in the code by `make reference`. Every process shows its own under
`/metrics` of its health port. No label carries an id of a request, a MOUS, a block, a file or a person: for those
there are the logs and the ledger. Counters end in `_total`; a histogram has `_bucket`, `_sum` and `_count`.
Prometheus adds the labels `service` and `instance` of the process; the label `service` of our own, which is the
same, becomes `exported_service`. [How to use them](../monitoring.md).
"""


def reference() -> str:
    """Return the page."""
    return _HEAD + "".join(_section(owner, metrics) for owner, metrics in DECLARED.items())


def _section(owner: str, metrics: tuple[Metric, ...]) -> str:
    return f"\n## Of {owner}\n\n" + "\n".join(line for metric in metrics for line in _lines(metric)) + "\n"


def _lines(metric: Metric) -> Iterator[str]:
    name = metric.exposed[0] if metric.kind == "counter" else metric.name
    yield f"**`{name}`** ({metric.kind}, {metric.unit}): {metric.meaning}."
    yield ""
    for label in metric.labels:
        yield f"- `{label.name}`: {label.meaning}"
    if isinstance(metric, HistogramMetric):
        yield f"- buckets to {', '.join(f'{limit:g}' for limit in metric.buckets)}"
    if metric.labels or isinstance(metric, HistogramMetric):
        yield ""

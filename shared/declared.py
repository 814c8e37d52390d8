"""Metrics as they are declared, once: what Prometheus scrapes and the reference page are both made of this."""

import re
from dataclasses import dataclass
from itertools import product
from typing import ClassVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

PREFIX = "alma_restore_"
_IDS = re.compile(r"(^|_)(u?id|uuid|uids?|ids?|key|path|file|ticket|user|account|email|address|token|message)$")


class UnboundedLabelError(ValueError):
    """A label would have a value per request, block, file or person: Prometheus keeps a series for each for ever."""


@dataclass(frozen=True)
class Label:
    """What tells series of a metric apart.

    Attributes
    ----------
    values
        All values that there can be, where they are few and known: then the series exist from the start,
        and what never happened is shown as 0 and not as nothing.

    Raises
    ------
    UnboundedLabelError
        If the name says that it carries ids.
    """

    name: str
    meaning: str
    values: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if _IDS.search(self.name):
            raise UnboundedLabelError(f"label {self.name!r} names single things: use a log or a trace for them")


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric: its name without the suffix that Prometheus adds, its unit, what it tells, and its labels."""

    name: str
    unit: str
    meaning: str
    labels: tuple[Label, ...] = ()
    kind: ClassVar[str]

    @property
    def exposed(self) -> tuple[str, ...]:
        """The names of its series as Prometheus shows them."""
        return (self.name,)

    def _begin(self, made: Counter | Gauge | Histogram) -> None:
        """Make the series that are known before anything happens."""
        if self.labels:
            for values in product(*(label.values for label in self.labels)):
                made.labels(*values)

    @property
    def _names(self) -> tuple[str, ...]:
        return tuple(label.name for label in self.labels)


@dataclass(frozen=True, kw_only=True)
class CounterMetric(Metric):
    """Counts what happened; it only grows, and begins again at 0 with the process."""

    kind = "counter"

    @property
    def exposed(self) -> tuple[str, ...]:
        """The name with the suffix that every counter has."""
        return (f"{self.name}_total",)

    def made(self, registry: CollectorRegistry) -> Counter:
        """Make it."""
        counter = Counter(self.name, self.meaning, self._names, registry=registry)
        self._begin(counter)
        return counter


@dataclass(frozen=True, kw_only=True)
class GaugeMetric(Metric):
    """Tells how much there is at the moment."""

    kind = "gauge"

    def made(self, registry: CollectorRegistry) -> Gauge:
        """Make it."""
        gauge = Gauge(self.name, self.meaning, self._names, registry=registry)
        self._begin(gauge)
        return gauge


@dataclass(frozen=True, kw_only=True)
class HistogramMetric(Metric):
    """Counts how often something took how long.

    Attributes
    ----------
    buckets
        Upper limits, in the unit.
    """

    buckets: tuple[float, ...]
    kind = "histogram"

    @property
    def exposed(self) -> tuple[str, ...]:
        """The names of buckets, sum and count."""
        return tuple(f"{self.name}_{part}" for part in ("bucket", "sum", "count"))

    def made(self, registry: CollectorRegistry) -> Histogram:
        """Make it."""
        histogram = Histogram(self.name, self.meaning, self._names, buckets=self.buckets, registry=registry)
        self._begin(histogram)
        return histogram

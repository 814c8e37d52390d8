"""What a dashboard consists of, before any program draws it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Query:
    """An expression of PromQL, and how its series are called in the legend."""

    expr: str
    legend: str


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A graph, or a number.

    Attributes
    ----------
    meaning
        What one reads from it; shown beside the title.
    unit
        Unit in Grafana's words: s, bytes, Bps, short, percentunit.
    number
        Whether the newest value is shown as a number.
    """

    title: str
    meaning: str
    queries: tuple[Query, ...]
    unit: str = "short"
    number: bool = False


@dataclass(frozen=True, kw_only=True)
class Row:
    """Panels that belong together."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, kw_only=True)
class Board:
    """A dashboard; its name is its file's, too."""

    name: str
    title: str
    meaning: str
    rows: tuple[Row, ...]


def number(title: str, meaning: str, expr: str, *, unit: str = "short") -> Panel:
    """Make a panel that shows one number."""
    return Panel(title=title, meaning=meaning, queries=(Query(expr, title),), unit=unit, number=True)

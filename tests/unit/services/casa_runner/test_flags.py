"""Which kinds of values a field has is found without reading more flags than that takes."""

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from services.casa_runner.casa import flags, reference

SCANS = (("A", 0), ("A", 1), ("B", 0), ("A", 0), ("B", 1))
ROWS = 3000  # of a scan; several pieces


class Table:
    """A MeasurementSet of scans in which nothing is flagged but what is told; remembers how much was read."""

    def __init__(self, flagged: tuple[slice, ...] = (), rows: tuple[slice, ...] = ()) -> None:
        size = len(SCANS) * ROWS
        self.read = 0
        self._columns: dict[str, Any] = {
            "FIELD_ID": np.repeat(["AB".index(name) for name, _ in SCANS], ROWS),
            "DATA_DESC_ID": np.repeat([description for _, description in SCANS], ROWS),
            "NAME": np.array(["A", "B"]),
            "SPECTRAL_WINDOW_ID": np.array([5, 7]),
            "FLAG": np.zeros((2, 4, size), bool),
            "FLAG_ROW": np.zeros(size, bool),
        }
        for which in flagged:
            self._columns["FLAG"][:, :, which] = True
        for which in rows:
            self._columns["FLAG_ROW"][which] = True

    def open(self, path: str) -> None:
        """Open nothing."""

    def close(self) -> None:
        """Close nothing."""

    def getcol(self, name: str, startrow: int = 0, nrow: int = -1) -> Any:
        """Read rows."""
        end = None if nrow < 0 else startrow + nrow
        self.read += 0 if end is None or name != "FLAG" else nrow
        return self._columns[name][..., startrow:end]


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch) -> Any:
    def look(table: Table, names: tuple[str, ...] = (), spws: tuple[int, ...] = ()) -> dict[str, tuple[bool, bool]]:
        casatools = ModuleType("casatools")
        casatools.table = lambda: table  # type: ignore[attr-defined]  # a stand-in for CASA's module
        monkeypatch.setitem(sys.modules, "casatools", casatools)
        monkeypatch.setitem(sys.modules, "reference", SimpleNamespace(Tables=reference.Tables))
        seen = flags.by_field("x.ms", list(names), list(spws))
        return {name: (each["flagged"], each["good"]) for name, each in seen.items()}

    return look


def scan(number: int) -> slice:
    return slice(number * ROWS, (number + 1) * ROWS)


def test_a_field_has_flagged_values_good_ones_or_both(look: Any) -> None:
    assert look(Table()) == {"A": (False, True), "B": (False, True)}
    assert look(Table((scan(2), scan(4)))) == {"A": (False, True), "B": (True, False)}
    assert look(Table((scan(3),))) == {"A": (True, True), "B": (False, True)}


def test_a_flagged_row_is_flagged_whatever_its_values_are(look: Any) -> None:
    assert look(Table(rows=(scan(2), scan(4)))) == {"A": (False, True), "B": (True, False)}


def test_only_what_is_delivered_is_looked_at(look: Any) -> None:
    assert look(Table((scan(1), scan(4))), names=("A",), spws=(5,)) == {"A": (False, True)}


def test_no_more_is_read_than_shows_both(look: Any) -> None:
    table = Table((slice(10, 20), slice(2 * ROWS, 2 * ROWS + 1)))
    assert look(table) == {"A": (True, True), "B": (True, True)}
    assert table.read <= 2 * 1024


def test_an_average_need_not_have_a_flagged_value() -> None:
    before = {"A": {"flagged": True, "good": True}}
    assert flags.due(before, {"spw": "1"}) == before
    for how in ("chanaverage", "timeaverage"):
        assert flags.due(before, {how: True}) == {"A": {"flagged": False, "good": True}}

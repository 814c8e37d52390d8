"""Compare MeasurementSets by python-casacore, row by row and to the bit."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from casacore.tables import table

COLUMNS = (
    "DATA",
    "FLAG",
    "WEIGHT",
    "SIGMA",
    "FLAG_ROW",
    "UVW",
    "TIME",
    "INTERVAL",
    "EXPOSURE",
    "ANTENNA1",
    "ANTENNA2",
    "DATA_DESC_ID",
    "SCAN_NUMBER",
)


def rows_of(ms: Path, fields: Sequence[str] | None = None) -> dict[str, np.ndarray]:
    """Read the compared columns of some fields (all if None), with names instead of numbers of fields."""
    names = np.array(names_of(ms, "FIELD", "NAME"))
    with table(str(ms), ack=False) as opened:
        columns = {name: opened.getcol(name) for name in COLUMNS}
        columns["FIELD"] = names[opened.getcol("FIELD_ID")]
    chosen = np.isin(columns["FIELD"], fields if fields is not None else names)
    return {name: values[chosen] for name, values in columns.items()}


def names_of(ms: Path, subtable: str, column: str) -> list[str]:
    """Read a text column of a subtable."""
    with table(f"{ms}/{subtable}", ack=False) as opened:
        return list(opened.getcol(column))


def differences(ms: Path, truth: Path, fields: Sequence[str] | None = None) -> list[str]:
    """Name the columns in which a MeasurementSet is not the truth to the bit (of some fields, or all)."""
    found, wanted = rows_of(ms), rows_of(truth, fields)
    return [name for name, values in wanted.items() if not np.array_equal(found[name], values)]


def unpack(tar: Path, into: Path) -> Path:
    """Unpack a delivered tar by the system's own tar; returns the MeasurementSet."""
    into.mkdir(parents=True, exist_ok=True)
    subprocess.run(["tar", "-xf", tar, "-C", into], check=True)
    return into / tar.name.removesuffix(".tar")


def nearly(ms: Path, truth: Path, column: str, fields: Sequence[str] | None = None) -> bool:
    """Whether a column is the truth to the last bits: CASA takes weights over through their square roots."""
    return np.allclose(rows_of(ms)[column], rows_of(truth, fields)[column], rtol=1e-6, atol=0)

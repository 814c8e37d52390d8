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


def unlike_tables(ms: Path, truth: Path, without: Sequence[str] = ("HISTORY",)) -> list[str]:
    """Name the columns of the main table and of all subtables but some in which two MeasurementSets differ."""
    names = ["", *sorted(path.name for path in truth.iterdir() if path.is_dir())]
    assert names[1:] == sorted(path.name for path in ms.iterdir() if path.is_dir())
    unlike = []
    for name in (name for name in names if name not in without):
        with table(str(ms / name), ack=False) as found, table(str(truth / name), ack=False) as wanted:
            if found.nrows() != wanted.nrows() or found.colnames() != wanted.colnames():
                unlike.append(f"{name} rows")
                continue
            unlike += [f"{name} {column}" for column in wanted.colnames() if not _alike(found, wanted, column)]
    return unlike


def _alike(found: table, wanted: table, column: str) -> bool:
    """Whether a column has the same values, and the same cells without any."""
    for row in range(wanted.nrows()) if wanted.isvarcol(column) and column != "DATA" else ():
        if found.iscelldefined(column, row) != wanted.iscelldefined(column, row):
            return False
        if wanted.iscelldefined(column, row) and not _same(found.getcell(column, row), wanted.getcell(column, row)):
            return False
    if wanted.isvarcol(column) and column != "DATA":
        return True
    return _same(found.getcol(column), wanted.getcol(column))


def _same(found: object, wanted: object) -> bool:
    values = np.asarray(wanted)
    return np.array_equal(np.asarray(found), values, equal_nan=values.dtype.kind in "fc")

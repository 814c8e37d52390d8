"""Take out of a MeasurementSet what its subtables still tell of sources that are not delivered."""

import importlib
from pathlib import Path
from typing import Any

# Half of the longest gap between a sample of the pointing and the integration that it belongs to, in seconds.
_MARGIN_S = 10.0


def withhold_others(ms: str, others: "list[str]") -> None:
    """Keep only the delivered fields' rows in the copied Source table, their scans' pointings, and what names no other.

    mstransform selects the main table, FIELD and SOURCE, but copies ``ASDM_SOURCE``, ``POINTING`` and
    ``HISTORY`` whole: names, positions, what the antennas looked at during other scans, and calls of tasks.

    Parameters
    ----------
    others
        Names of the fields that are not delivered.
    """
    numpy = importlib.import_module("numpy")
    table = importlib.import_module("casatools").table()
    table.open(ms + "/FIELD")
    names = {str(name) for name in table.getcol("NAME")}
    table.close()
    table.open(ms)
    times, scans = table.getcol("TIME"), table.getcol("SCAN_NUMBER")
    table.close()
    spans = [(times[scans == scan].min() - _MARGIN_S, times[scans == scan].max() + _MARGIN_S) for scan in set(scans)]
    if Path(ms, "ASDM_SOURCE").is_dir():
        _keep(table, ms + "/ASDM_SOURCE", "sourceName", lambda found: [str(name).strip() in names for name in found])
    for column in ("MESSAGE", "CLI_COMMAND", "APP_PARAMS"):
        _keep(table, ms + "/HISTORY", column, lambda found: [not _names_any(text, others) for text in found])
    _keep(
        table,
        ms + "/POINTING",
        "TIME",
        lambda found: numpy.logical_or.reduce([(found >= start) & (found <= end) for start, end in spans]).tolist(),
    )


def _names_any(text: Any, others: "list[str]") -> bool:
    return any(name in str(text) for name in others)


def _keep(table: Any, path: str, column: str, judge: Any) -> None:
    """Rewrite a subtable with some of its rows, so that no byte of the others is left in its files."""
    table.open(path)
    try:
        if table.nrows() == 0:
            return
        kept = [row for row, wanted in enumerate(judge(_column(table, column))) if wanted]
        if len(kept) == table.nrows():
            return
        some = table.selectrows(kept)
        copy = some.copy(path + ".kept", deep=True, valuecopy=True)
        copy.close()
        some.close()
    finally:
        table.close()
    _replace(Path(path), Path(path + ".kept"))


def _column(table: Any, name: str) -> Any:
    """Read a column, also one whose arrays are of several shapes, or not there at all."""
    if table.isscalarcol(name):
        return table.getcol(name)
    return [table.getcell(name, row).tolist() if table.iscelldefined(name, row) else "" for row in range(table.nrows())]


def _replace(old: Path, new: Path) -> None:
    for file in old.iterdir():
        if file.is_file():
            file.unlink()
    for file in new.iterdir():
        file.rename(old / file.name)
    new.rmdir()

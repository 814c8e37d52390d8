"""Join what two halves of a single pass made, so that nobody can tell that there were two.

Rows are imported and written scan by scan, so those of the later half are appended to those of the earlier one. What
is about no scan (all tables but the main one) is the same in both; only states are numbered as they come.
"""

import ctypes
import importlib
import os
import shutil
from pathlib import Path
from typing import Any

_PIECES = 16
_KEYS = ("TIME", "ANTENNA1", "ANTENNA2", "DATA_DESC_ID", "FIELD_ID", "UVW")
# Linux, <linux/falloc.h>: give blocks back, and keep the file's size.
_KEEP_SIZE, _PUNCH_HOLE = 1, 2


def restore_flags(half: "dict[str, Any]") -> None:
    """Restore the final flags of a half's rows, as ``flagmanager`` does those of a whole; `check_seam` counts them."""
    rows, table = _rows(half["vis"]), _table()
    table.open(f"{half['all_flags']}.flagversions/{_final_flags()}")
    try:
        all_rows = int(table.nrows())
        first = 0 if half["after"] is None else max(0, all_rows - rows)
        table.copyrows(half["vis"], startrowin=first, startrowout=0, nrow=min(rows, all_rows))
    finally:
        table.close()


def check_seam(halves: "tuple[dict[str, Any], dict[str, Any]]") -> None:
    """Make sure that both halves have imported what they have in common alike, and have all flags' rows.

    Raises
    ------
    halves.HalvesDifferError
        If they have not.
    """
    numpy = importlib.import_module("numpy")
    earlier, later = (half["vis"] for half in halves)
    table = _table()
    table.open(later)
    own = int(table.nrows())
    rows = int((table.getcol("SCAN_NUMBER") <= halves[1]["after"]).sum())
    found = [table.getcol(name, 0, rows) for name in _KEYS] if rows else []
    table.close()
    there, flags = _rows(earlier), _rows(f"{halves[0]['all_flags']}.flagversions/{_final_flags()}")
    if not 0 < rows <= there or there + own - rows != flags:
        raise _differ(f"{there} rows and {own}, {rows} of them in both, and flags of {flags}")
    table.open(earlier)
    try:
        unlike = [
            name
            for name, values in zip(_KEYS, found)  # noqa: B905 (not every CASA's Python has strict)
            if not numpy.array_equal(table.getcol(name, there - rows, rows), values)
        ]
    finally:
        table.close()
    if unlike:
        raise _differ(", ".join(unlike))


def join(halves: "tuple[dict[str, Any], dict[str, Any]]") -> None:
    """Append the later half's rows, and what its states and its history have beyond the earlier half's.

    Raises
    ------
    halves.HalvesDifferError
        If the halves' other tables have not as many rows.
    """
    first, second = (half["output"] for half in halves)
    _check_alike(first, second)
    _renumber_states(first, second)
    _append_rows(first, second)
    table = _table()
    table.open(second + "/HISTORY")
    try:
        table.copyrows(first + "/HISTORY", startrowin=_rows(halves[1]["vis"] + "/HISTORY"))
    finally:
        table.close()
    shutil.rmtree(second)


def _append_rows(first: str, second: str) -> None:
    """Append rows, piece by piece: what has been copied gives its room on the disk back."""
    table, room = _table(), _Room(second)
    table.open(second)
    try:
        rows = int(table.nrows())
        piece = max(1, -(-rows // _PIECES))
        for start in range(0, rows, piece):
            table.copyrows(first, startrowin=start, nrow=min(piece, rows - start))
            room.give_back(min(start + piece, rows))
    finally:
        room.close()
        table.close()


class _Room:
    """Gives the blocks of visibilities back that have been read, where a table holds them in the order of its rows."""

    def __init__(self, path: str) -> None:
        self._files = []  # type: list[tuple[int, Any, int, int]]
        table = _table()
        table.open(path)
        try:
            shapes = _shapes(table, path)
            for manager in table.getdminfo().values():
                if list(manager["COLUMNS"]) == ["DATA"] and manager["TYPE"] == "TiledShapeStMan":
                    for name, cube in manager["SPEC"]["HYPERCUBES"].items():
                        file = Path(path, f"table.f{manager['SPEC']['SEQNR']}_TSM{name.strip('*')}")
                        self._know(file, cube, shapes)
        finally:
            table.close()

    def _know(self, file: Path, cube: "dict[str, Any]", shapes: Any) -> None:
        """Keep a file of visibilities if it is just as long as its tiles are together."""
        numpy = importlib.import_module("numpy")
        *cell, rows = (int(length) for length in cube["CubeShape"])
        *tile, height = (int(length) for length in cube["TileShape"])
        layer = int(cube["BucketSize"])
        for length, part in zip(cell, tile):  # noqa: B905 (not every CASA's Python has strict)
            layer *= -(-length // part)
        its = numpy.flatnonzero((shapes == cell).all(axis=1))
        if len(its) == rows and file.is_file() and file.stat().st_size == layer * -(-rows // height):
            self._files.append((os.open(str(file), os.O_RDWR), its, height, layer))

    def give_back(self, read: int) -> None:
        """Give back the whole tiles that hold none but the first rows; where a disk cannot do that, they stay."""
        for file, its, height, layer in self._files:
            full = int((its < read).sum()) // height * layer
            if full:
                numbers = (ctypes.c_int64(0), ctypes.c_int64(full))
                ctypes.CDLL(None).fallocate(file, _PUNCH_HOLE | _KEEP_SIZE, *numbers)

    def close(self) -> None:
        """Close the files."""
        for file, *_ in self._files:
            os.close(file)


def _shapes(table: Any, path: str) -> Any:
    """Tell how many correlations and channels each row has; shape (rows, 2)."""
    numpy = importlib.import_module("numpy")
    other, columns = _table(), {}
    for subtable, name in (
        ("DATA_DESCRIPTION", "SPECTRAL_WINDOW_ID"),
        ("DATA_DESCRIPTION", "POLARIZATION_ID"),
        ("SPECTRAL_WINDOW", "NUM_CHAN"),
        ("POLARIZATION", "NUM_CORR"),
    ):
        other.open(f"{path}/{subtable}")
        columns[name] = other.getcol(name)
        other.close()
    descriptions = table.getcol("DATA_DESC_ID")
    correlations = columns["NUM_CORR"][columns["POLARIZATION_ID"][descriptions]]
    return numpy.stack([correlations, columns["NUM_CHAN"][columns["SPECTRAL_WINDOW_ID"][descriptions]]], axis=1)


def _check_alike(first: str, second: str) -> None:
    """Make sure that tables about no scan have as many rows in both."""
    names = [path.name for path in sorted(Path(first).iterdir()) if path.is_dir()]
    unlike = [
        name
        for name in names
        if name not in ("STATE", "HISTORY") and _rows(f"{first}/{name}") != _rows(f"{second}/{name}")
    ]
    if unlike:
        raise _differ(", ".join(unlike))


def _renumber_states(first: str, second: str) -> None:
    """Give the later half's rows the numbers that their states have, or get, in the earlier one."""
    numpy = importlib.import_module("numpy")
    known, own, table = _states(first + "/STATE"), _states(second + "/STATE"), _table()
    new = [number for number, state in enumerate(own) if state not in known]
    if new:
        table.open(second + "/STATE")
        some = table.selectrows(new)
        some.copyrows(first + "/STATE")
        some.close()
        table.close()
    known += [own[number] for number in new]
    numbers = [known.index(state) for state in own]
    if numbers == list(range(len(numbers))):
        return
    table.open(second, nomodify=False)
    try:
        states = table.getcol("STATE_ID")
        table.putcol("STATE_ID", numpy.where(states < 0, states, numpy.array(numbers, states.dtype)[states]))
    finally:
        table.close()


def _states(path: str) -> "list[Any]":
    table = _table()
    table.open(path)
    try:
        columns = [table.getcol(name).tolist() for name in sorted(table.colnames())]
        return list(zip(*columns))  # noqa: B905 (not every CASA's Python has strict)
    finally:
        table.close()


def _rows(path: str) -> int:
    table = _table()
    table.open(path)
    try:
        return int(table.nrows())
    finally:
        table.close()


def _final_flags() -> str:
    return "flags." + str(importlib.import_module("reference").FINAL_FLAGS)


def _table() -> Any:
    return importlib.import_module("casatools").table()


def _differ(what: str) -> Any:
    return importlib.import_module("halves").HalvesDifferError(what)

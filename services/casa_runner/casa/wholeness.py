"""Look whether a MeasurementSet can be read: each column of each table at its ends, and how long its files are.

What was cut off is missing at the end of a file, so the last rows are where it shows; the storage managers
fill a file tile by tile, those of each shape in a file of its own, so each data description has its own ends.
"""

import importlib
from pathlib import Path
from typing import Any

_BUCKET_FILE_HEADER = 512  # bytes; casacore's BucketFile


def look(ms: str) -> "dict[str, Any]":
    """Read a MeasurementSet and its subtables at their ends.

    Returns
    -------
    dict
        ``damaged``: a sentence for each table that cannot be read or whose files are too short;
        ``undefined``: columns of the main table that have a row without a value there;
        ``subtables``: names of the subtables.
    """
    table = importlib.import_module("casatools").table()
    found = {"damaged": [], "undefined": [], "subtables": []}  # type: dict[str, list[str]]
    paths = _look_at(table, ms, found, found["undefined"])
    for path in paths:
        _look_at(table, path, found, [])
    found["subtables"] = sorted(Path(path).name for path in paths)
    return found


def _look_at(table: Any, path: str, found: "dict[str, list[str]]", undefined: "list[str]") -> "list[str]":
    """Look at one table, note what is wrong with it, and return the paths of its subtables."""
    words = []  # type: list[str]
    try:
        table.open(path)
        try:
            words = [value for value in table.getkeywords().values() if isinstance(value, str)]
            found["damaged"].extend(_short_files(Path(path), table.getdminfo()))
            undefined.extend(_read_ends(table))
        finally:
            table.close()
    except Exception as error:  # whatever a table does that cannot be read
        found["damaged"].append("{} cannot be read: {}".format(Path(path).name, str(error).split("\n")[0]))
    return [word[len("Table: ") :] for word in words if word.startswith("Table: ")]


def _short_files(folder: Path, managers: "dict[str, Any]") -> "list[str]":
    """Say which files are shorter than their storage manager says that it has written."""
    short = []
    for manager in managers.values():
        for stem, needed in _needed_bytes(manager).items():
            there = sum(file.stat().st_size for file in folder.glob(stem))
            if there < needed:
                short.append(f"{folder.name}/{stem} has {there} bytes of {needed}")
    return short


def _needed_bytes(manager: "dict[str, Any]") -> "dict[str, int]":
    """Tell which files a storage manager has, and how many bytes of them have to be there."""
    own = "table.f{}".format(manager["SEQNR"])
    if manager["TYPE"] in ("StandardStMan", "IncrementalStMan"):
        # An incremental manager has no bucket before it has a row.
        buckets = 1 if manager["TYPE"] == "StandardStMan" else 0
        return {own: _BUCKET_FILE_HEADER + buckets * int(manager["SPEC"]["BUCKETSIZE"])}
    if manager["TYPE"].startswith("Tiled"):
        return {own: 1, own + "_TSM*": sum(_cube_bytes(cube) for cube in manager["SPEC"]["HYPERCUBES"].values())}
    return {}


def _cube_bytes(cube: "dict[str, Any]") -> int:
    """Tell the bytes of all tiles of a cube, which are written whole."""
    tiles = 1
    for length, tile in zip(cube["CubeShape"], cube["TileShape"]):  # noqa: B905 (not every CASA's Python has strict)
        tiles *= -(-int(length) // int(tile))
    return tiles * int(cube["BucketSize"])


def _read_ends(table: Any) -> "list[str]":
    """Read all columns in the first and last rows, and return those that have no value in one of them."""
    rows, undefined = _ends(table), []
    for name in table.colnames():
        defined = [row for row in rows if table.iscelldefined(name, row)]
        for row in defined:
            table.getcell(name, row)
        if len(defined) < len(rows):
            undefined.append(str(name))
    return undefined


def _ends(table: Any) -> "list[int]":
    """Tell the first and the last row, those of each data description if the table has these."""
    rows = int(table.nrows())
    if rows == 0:
        return []
    if "DATA_DESC_ID" not in table.colnames():
        return sorted({0, rows - 1})
    numpy = importlib.import_module("numpy")
    descriptions = table.getcol("DATA_DESC_ID")
    first = numpy.unique(descriptions, return_index=True)[1]
    last = rows - 1 - numpy.unique(descriptions[::-1], return_index=True)[1]
    return sorted({int(row) for row in first} | {int(row) for row in last})

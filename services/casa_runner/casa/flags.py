"""Look which fields have flagged values and which have good ones, and read no more flags than that takes.

Nearly every field has both within its first integrations. Flags are packed, a bit for each visibility of eight bytes:
also where a field has only one kind, and is read whole, that is a sixty-fourth of its data.
"""

import importlib
from typing import Any

_PIECE = 1024  # rows; some ten megabytes of flags at the most channels that there are


def by_field(ms: str, names: "list[str]", spws: "list[int]") -> "dict[str, dict[str, bool]]":
    """Tell for each field whether a value is ``flagged``, and whether one is ``good``.

    Parameters
    ----------
    names, spws
        Fields and spectral windows that are looked at; empty is all.
    """
    casatools = importlib.import_module("casatools")
    tables = importlib.import_module("reference").Tables(casatools)
    name_of = [str(name) for name in tables.column(ms + "/FIELD", "NAME")]
    spw_of = tables.column(ms + "/DATA_DESCRIPTION", "SPECTRAL_WINDOW_ID").tolist()
    table = casatools.table()
    table.open(ms)
    try:
        found = {}  # type: dict[str, dict[str, bool]]
        for field, description, start, end in _runs(table.getcol("FIELD_ID"), table.getcol("DATA_DESC_ID")):
            name = name_of[field]
            if (names and name not in names) or (spws and spw_of[description] not in spws):
                continue
            _look_at(table, start, end, found.setdefault(name, {"flagged": False, "good": False}))
        return found
    finally:
        table.close()


def due(before: "dict[str, dict[str, bool]]", transform: "dict[str, Any]") -> "dict[str, dict[str, bool]]":
    """Tell what has to be found in what is taken out: an average of flagged values and good ones is good."""
    averaged = bool(transform.get("chanaverage") or transform.get("timeaverage"))
    return {name: {**seen, "flagged": seen["flagged"] and not averaged} for name, seen in before.items()}


def all_flagged(result: "dict[str, Any]") -> "list[str]":
    """Name the fields that have no good value in what came out, although some have to be there."""
    found = result["output"].get("flags_by_field", {})
    wanted = [name for name, seen in result.get("due_flags_by_field", {}).items() if seen["good"] and name in found]
    return sorted(name for name in wanted if not found[name]["good"])


def _runs(fields: Any, descriptions: Any) -> Any:
    """Yield field, data description, first row and the row behind the last of rows that are alike and in one piece."""
    numpy = importlib.import_module("numpy")
    if len(fields) == 0:
        return
    changes = (fields[1:] != fields[:-1]) | (descriptions[1:] != descriptions[:-1])
    starts = [0, *(numpy.flatnonzero(changes) + 1).tolist()]
    for start, end in zip(starts, [*starts[1:], len(fields)]):  # noqa: B905 (not every CASA's Python has strict)
        yield int(fields[start]), int(descriptions[start]), start, end


def _look_at(table: Any, start: int, end: int, seen: "dict[str, bool]") -> None:
    """Look at some rows, until both kinds of values have been seen."""
    for first in range(start, end, _PIECE):
        if seen["flagged"] and seen["good"]:
            return
        piece = {"startrow": first, "nrow": min(_PIECE, end - first)}
        flags = table.getcol("FLAG", **piece) | table.getcol("FLAG_ROW", **piece)
        seen["flagged"] = seen["flagged"] or bool(flags.any())
        seen["good"] = seen["good"] or not flags.all()

"""Cut a MeasurementSet in two and join it again, inside CASA: ``python casa_appending.py SCRIPTS MS FOLDER``.

Prints as JSON how many bytes the later part's visibilities take on the disk, before and after each piece is appended.
"""

import importlib
import json
import sys
from pathlib import Path
from typing import Any


def main(scripts: str, ms: str, folder: str) -> None:
    sys.path.insert(0, scripts)
    joining: Any = importlib.import_module("joining")
    table = importlib.import_module("casatools").table()
    first, second = f"{folder}/first.ms", f"{folder}/second.ms"
    table.open(ms)
    half = int(table.nrows()) // 2
    for path, rows in ((first, f"rownumber() <= {half}"), (second, f"rownumber() > {half}")):
        part = table.query(rows)
        part.copy(path, deep=True).close()
        part.close()
    table.close()
    (data,) = (path for path in Path(second).glob("table.f*_TSM*") if path.stat().st_size == largest(second))
    told = [data.stat().st_blocks * 512]
    give_back = joining._Room.give_back

    def tell(room: Any, read: int) -> None:
        give_back(room, read)
        told.append(data.stat().st_blocks * 512)

    joining._Room.give_back = tell
    joining._append_rows(first, second)
    print(json.dumps(told))


def largest(table: str) -> int:
    return max(path.stat().st_size for path in Path(table).glob("table.f*_TSM*"))


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Damage every data file of a MeasurementSet in turn and have it described, in one CASA process.

``python casa_damage.py SCRIPTS MS ANSWER``: the folder of the runner's scripts, a MeasurementSet that may be
damaged, and where the answer goes: what was described, by file and damage, and of the whole one.
"""

import importlib
import json
import os
import sys
from pathlib import Path

DAMAGES = ("half", "zero", "away")


def damage(file: Path, how: str) -> None:
    """Cut a file, or remove it."""
    if how == "away":
        file.unlink()
    else:
        os.truncate(file, file.stat().st_size // 2 if how == "half" else 0)


def main(scripts: str, ms: str, answer: str) -> None:
    """Describe the MeasurementSet with each damage."""
    sys.path.insert(0, scripts)
    tables = importlib.import_module("reference").Tables(importlib.import_module("casatools"))
    told = {"whole": {"": tables.describe(ms)}, **{how: {} for how in DAMAGES}}
    for file in sorted(Path(ms).rglob("table.f*")):
        content = file.read_bytes()
        for how in DAMAGES:
            damage(file, how)
            told[how][str(file.relative_to(ms))] = tables.describe(ms)
            file.write_bytes(content)
    Path(answer).write_text(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])

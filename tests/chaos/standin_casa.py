"""A Python that works some seconds where CASA would work hours, ends with its runner, and crashes where it is told."""

import sys
from collections.abc import Collection
from pathlib import Path

from services.casa_runner.verify import COLUMNS, SUBTABLES

_SCRIPT = f"""#!{sys.executable}
import ctypes, json, os, pathlib, random, signal, sys, time
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
job = json.loads(pathlib.Path(sys.argv[2]).read_text())
if os.getppid() != job["parent"]:
    sys.exit(1)
progress = open(job["progress"], "a")
def say(step, percent):
    progress.write(json.dumps({{"step": step, "percent": percent}}) + "\\n")
    progress.flush()
deadline = time.monotonic() + random.uniform(*SECONDS)
for percent, step in enumerate(("importasdm", "flags", "applycal", "split"), start=1):
    say(step, 20 * percent)
    time.sleep(max(0.0, (deadline - time.monotonic()) / (5 - percent)))
if job["asdm"] in CRASHING:
    os.kill(os.getpid(), signal.SIGSEGV)
fields = job["fields"] or list(job["rows_by_field"])
for folder in ("", "FIELD"):
    path = pathlib.Path(job["output"], folder)
    path.mkdir()
    for name in ("table.dat", "table.info", "table.lock"):
        (path / name).write_bytes((job["asdm"] + name).encode() * 2000)
rows = {{name: job["rows_by_field"][name] for name in fields}}
output = {{"rows": sum(rows.values()), "columns": {sorted(COLUMNS)}, "subtables": {sorted(SUBTABLES)},
           "rows_by_field": rows}}
result = {{"step": "verify", "casa_version": "6.7.0-31", "imported_rows_by_field": job["rows_by_field"],
           "output": output}}
pathlib.Path(job["result"]).write_text(json.dumps(result))
"""


def write_standin(path: Path, *, seconds: tuple[float, float], crashing: Collection[str] = ()) -> Path:
    """Write the stand-in as an executable, to be named as the casa-runner's Python.

    Parameters
    ----------
    path
        Where it goes.
    seconds
        How long it works, at least and at most.
    crashing
        Execution blocks, in file form, at whose end it crashes.
    """
    script = _SCRIPT.replace("SECONDS", repr(seconds), 1).replace("CRASHING", repr(sorted(crashing)), 1)
    path.write_text(script)
    path.chmod(0o755)
    return path

"""Restore an execution block with CASA tasks: ``python reference.py JOB``, inside CASA and nowhere else.

The steps are those of the pipeline's ``hifa_restoredata``: import the ASDM, restore the
final flags, apply every line of the calapply file, split the corrected data. The script
stands alone (standard library and CASA), so that any CASA's Python can run it. It tells
each step in the progress file and writes the result file last, whatever happened.
"""

import ctypes
import importlib
import json
import os
import re
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

ASIS = "Antenna Station Receiver Source CalAtmosphere CalWVR CorrelatorMode SBSummary"
FINAL_FLAGS = "Pipeline_Final"
# Seen in the pipeline's own log of a restore; its calapply lines do not say it.
DEFAULT_APPLYMODE = "calflagstrict"


class CasaVersionError(Exception):
    """The job is for another version of CASA."""


class Progress:
    """Tells where the work is: one JSON object a line, read while it grows."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.step = "starting"

    def say(self, step: str, percent: float) -> None:
        """Say that a step begins, and how much of the whole is behind it."""
        self.step = step
        with self._path.open("a") as stream:
            stream.write(json.dumps({"step": step, "percent": percent}) + "\n")


def die_with_parent(parent: int) -> None:
    """Have the kernel end this process when the runner dies, even by kill -9."""
    set_parent_death_signal = 1
    ctypes.CDLL(None, use_errno=True).prctl(set_parent_death_signal, signal.SIGKILL)
    if parent and os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


class Tables:
    """Reads columns of CASA tables."""

    def __init__(self, casatools: Any) -> None:
        self._casatools = casatools

    def column(self, path: str, name: str) -> Any:
        """Read a column."""
        table = self._casatools.table()
        table.open(path)
        try:
            return table.getcol(name)
        finally:
            table.close()

    def names(self, path: str) -> "list[str]":
        """Tell the names of a table's columns."""
        table = self._casatools.table()
        table.open(path)
        try:
            return [str(name) for name in table.colnames()]
        finally:
            table.close()

    def describe(self, ms: str) -> "dict[str, Any]":
        """Reopen a MeasurementSet and its subtables, and tell rows, columns, rows by field, and what is damaged."""
        found: dict[str, Any] = importlib.import_module("wholeness").look(ms)
        if found["damaged"]:  # what else it has cannot be read, or not be believed
            return {"rows": 0, "columns": [], "rows_by_field": {}, **found}
        counts = self.rows_by_field(ms)
        return {"rows": sum(counts.values()), "columns": self.names(ms), "rows_by_field": counts, **found}

    def rows_by_field(
        self, ms: str, spws: "list[int] | None" = None, *, after: "int | None" = None
    ) -> "dict[str, int]":
        """Count rows by the name of their field: of some spectral windows or all, of scans after one or all."""
        numpy = importlib.import_module("numpy")
        names = [str(name) for name in self.column(ms + "/FIELD", "NAME")]
        fields = self.column(ms, "FIELD_ID")
        counted = numpy.ones(len(fields), bool)
        if spws:
            spw_of = self.column(ms + "/DATA_DESCRIPTION", "SPECTRAL_WINDOW_ID")
            counted &= numpy.isin(spw_of[self.column(ms, "DATA_DESC_ID")], spws)
        if after is not None:
            counted &= self.column(ms, "SCAN_NUMBER") > after
        counts = {}  # type: dict[str, int]
        for field, rows in enumerate(numpy.bincount(fields[counted]).tolist()):
            if rows:
                counts[names[field]] = counts.get(names[field], 0) + rows
        return counts


def restore(job: "dict[str, Any]", progress: Progress, result: "dict[str, Any]") -> None:
    """Do all steps in the working directory and describe what came out."""
    tasks, tables = load(job, progress, result)
    import_flagged(job, progress, result, tasks, tables, lazy=False)
    apply(job["calls"], job["vis"], tasks, tables, progress)
    progress.say("split", 80)
    take_out(job, tasks, tables, {})
    verify(job, progress, result, tables, "reference")


def verify(
    job: "dict[str, Any]",
    progress: Progress,
    result: "dict[str, Any]",
    tables: Tables,
    method: str,
    *,
    seen: "dict[str, Any] | None" = None,
) -> None:
    """Take out what is not to be told, and describe what came out and what had to, as far as that is not seen yet."""
    progress.say("verify", 92)
    if job["fields"]:
        names = [str(name) for name in tables.column(job["vis"] + "/FIELD", "NAME")]
        others = [name for name in names if name not in job["fields"]]
        importlib.import_module("withhold").withhold_others(job["output"], others)
    seen = look(job, tables) if seen is None else seen
    result["method"] = method
    result["selected_rows_by_field"] = seen["rows"]
    result["output"] = tables.describe(job["output"])
    if not result["output"]["damaged"]:
        flags = importlib.import_module("flags")
        result["due_flags_by_field"] = flags.due(seen["flags"], job["transform"])
        result["output"]["flags_by_field"] = flags.by_field(job["output"], [], [])


def look(job: "dict[str, Any]", tables: Tables) -> "dict[str, Any]":
    """Tell by field which rows and which kinds of flags what is delivered is taken out of."""
    return {
        "rows": tables.rows_by_field(job["vis"], job["spws"], after=job.get("after")),
        "flags": importlib.import_module("flags").by_field(job["vis"], job["fields"], job["spws"]),
    }


def load(job: "dict[str, Any]", progress: Progress, result: "dict[str, Any]") -> "tuple[Any, Tables]":
    """Load CASA and make sure that it is the one that is wanted; return its tasks and tables."""
    progress.say("loading CASA", 1)
    casatools = importlib.import_module("casatools")
    result["casa_version"] = casatools.version_string()
    _check_version(casatools.version_string(), job["only_version"])
    return importlib.import_module("loading").load_tasks(), Tables(casatools)


def load_silently() -> "tuple[Any, Tables]":
    """Load CASA to work on what another one has calibrated, so that its version does not matter."""
    return importlib.import_module("loading").load_tasks(), Tables(importlib.import_module("casatools"))


def import_flagged(
    job: "dict[str, Any]", progress: Progress, result: "dict[str, Any]", tasks: Any, tables: Tables, *, lazy: bool
) -> None:
    """Import the ASDM, make sure that no row is lost, and restore the final flags."""
    import_asdm(job, progress, tasks, lazy=lazy)
    result["imported_rows_by_field"] = tables.rows_by_field(job["vis"])
    check_rows(job, result)
    restore_flags(job, progress, tasks)


def import_asdm(job: "dict[str, Any]", progress: Progress, tasks: Any, *, lazy: bool) -> None:
    """Import the ASDM, its visibilities or only references to them."""
    progress.say("importasdm", 10)
    tasks.importasdm(
        asdm=job["asdm"],
        vis=job["vis"],
        asis=ASIS,
        # As hifa_restoredata does; reading them takes a fourth of a lazy import, and the final flags replace them.
        bdfflags=not lazy,
        lazy=lazy,
        process_caldevice=False,
        with_pointing_correction=True,
        # The version it would save is not among those that are restored or delivered.
        flagbackup=False,
    )


def check_rows(job: "dict[str, Any]", result: "dict[str, Any]") -> None:
    """Make sure that no field has fewer rows than the ASDM promises."""
    imported = result["imported_rows_by_field"]
    if any(imported.get(name, 0) < rows for name, rows in job["rows_by_field"].items()):
        raise ValueError("the imported MeasurementSet has fewer rows than the ASDM promises")


def restore_flags(job: "dict[str, Any]", progress: Progress, tasks: Any) -> None:
    """Restore the final flags, which lie beside the MeasurementSet."""
    progress.say("flagmanager", 45)
    tasks.flagmanager(vis=job["vis"], mode="restore", versionname=FINAL_FLAGS)


def take_out(
    job: "dict[str, Any]", tasks: Any, tables: Tables, calibration: "dict[str, Any]", *, column: str = "corrected"
) -> None:
    """Write what is delivered: the corrected data of the selection, averaged as asked, flagged rows too."""
    # For plain data split is what everybody used; it does the same by mstransform.
    task = tasks.mstransform if calibration or job["transform"] else tasks.split
    task(
        vis=job["vis"],
        outputvis=job["output"],
        datacolumn=column,
        keepflags=True,
        field=field_numbers(job, tables),
        **job["transform"],
        **calibration,
    )


def field_numbers(job: "dict[str, Any]", tables: Tables) -> str:
    """Select the fields that are asked for: by number, since CASA reads a name as a pattern."""
    names = [str(name) for name in tables.column(job["vis"] + "/FIELD", "NAME")]
    return ",".join(str(number) for number, name in enumerate(names) if name in job["fields"])


def _check_version(here: str, wanted: "str | None") -> None:
    """Refuse to work if another version is called for; 6.7.0-31 and 6.7.0.31 are one."""
    if wanted is not None and re.split("[.-]", here) != re.split("[.-]", wanted):
        raise CasaVersionError(f"this is CASA {here}, and the calibration is to be applied by {wanted}")


def apply(calls: "list[dict[str, Any]]", vis: str, tasks: Any, tables: Tables, progress: Progress) -> None:
    """Apply each call in order, with the flags that it sets."""
    intents = importlib.import_module("intents")
    observing_modes = intents.modes_of(vis, tables)
    for number, call in enumerate(calls):
        progress.say("applycal", 50 + 30 * number // len(calls))
        arguments = {"parang": False, "applymode": DEFAULT_APPLYMODE, **call, "flagbackup": False}
        arguments["intent"] = intents.intent_expression(arguments["intent"], observing_modes)
        tasks.applycal(vis=vis, **arguments)


def main(path: Path, way: Any = restore) -> int:
    """Run the job that a JSON file describes in one of the ways; the exit status says whether it went well."""
    job = json.loads(path.read_text())
    die_with_parent(job["parent"])
    progress = Progress(Path(job["progress"]))
    result = {"rule": job["rule"]} if "rule" in job else {}  # type: dict[str, Any]
    try:
        way(job, progress, result)
    except BaseException as error:  # whatever it is, the runner has to be told
        traceback.print_exc()
        result["error"] = f"{type(error).__name__}: {error}"
    result["step"] = progress.step
    Path(job["result"]).write_text(json.dumps(result))
    return 1 if "error" in result else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

"""Restore what was calibrated by hand with the delivered scriptForPI: ``python by_script.py JOB``.

The script leaves ``calibrated/<EB>.ms.split.cal``: the science windows, numbered anew, with the
calibrated data in DATA. Which rows it takes is its author's choice; what it has imported is not.
"""

import importlib
import sys
from pathlib import Path
from typing import Any


def restore(job: "dict[str, Any]", progress: Any, result: "dict[str, Any]") -> None:
    """Run the script, make sure that it went well, and take out what is asked for."""
    reference, application = importlib.import_module("reference"), importlib.import_module("application")
    delivery = Path(job["delivery"])
    progress.say("scriptForPI", 10)
    wanted = {"script": job["script_for_pi"], "folder": str(delivery / "script")}
    failure = application.run(job, wanted, result)
    if failure:
        raise application.ScriptError(failure)
    version = result["casa_version"]
    progress.say("script's data", 75)
    calibrated = delivery / "calibrated" / f"{job['vis']}.split.cal"
    if not calibrated.is_dir():
        raise application.ScriptError(f"it says that all is well, but there is no {calibrated.name}")
    tasks, tables = reference.load_silently()
    imported = delivery / "calibrated" / f"{job['asdm']}.calibration" / job["vis"]
    if imported.is_dir():
        result["imported_rows_by_field"] = tables.rows_by_field(str(imported))
    rows = tables.rows_by_field(str(calibrated))
    lacking = [name for name in job["needed_fields"] if not rows.get(name)]
    if lacking:
        raise application.ScriptError(f"{calibrated.name} has no data of {', '.join(lacking)}")
    progress.say("split", 80)
    chosen = {**job, "vis": _take_out(job, calibrated, reference, tasks, tables)}
    reference.verify(chosen, progress, result, tables, "scriptForPI")
    result["casa_version"] = version


def _take_out(job: "dict[str, Any]", calibrated: Path, reference: Any, tasks: Any, tables: Any) -> str:
    """Write what is asked for, and return what it was taken out of: itself, if that is all."""
    if not job["fields"] and not job["transform"]:
        calibrated.rename(job["output"])
        return str(job["output"])
    column = "corrected" if "CORRECTED_DATA" in tables.names(str(calibrated)) else "data"
    reference.take_out({**job, "vis": str(calibrated)}, tasks, tables, {}, column=column)
    return str(calibrated)


if __name__ == "__main__":
    sys.exit(importlib.import_module("reference").main(Path(sys.argv[1]), restore))

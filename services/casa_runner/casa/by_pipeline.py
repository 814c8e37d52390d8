"""Restore an execution block by the ALMA pipeline: ``python by_pipeline.py JOB``, beside ``reference.py``.

The pipeline ends with exit status 0 also where it failed, and CORRECTED_DATA can be there
although it did: only all signs together are a success.
"""

import importlib
import sys
from pathlib import Path
from typing import Any


def restore(job: "dict[str, Any]", progress: Any, result: "dict[str, Any]") -> None:
    """Run the request, make sure that it went well, and split what it restored."""
    reference, application = importlib.import_module("reference"), importlib.import_module("application")
    progress.say("pipeline", 10)
    failure = application.run(job, {"ppr": job["ppr"]}, result) or _left_error()
    if failure:
        raise application.PipelineError(failure)
    version = result["casa_version"]
    progress.say("pipeline's data", 75)
    if not Path(job["vis"]).is_dir():
        raise application.PipelineError(f"it says that all is well, but there is no {job['vis']}")
    tasks, tables = reference.load_silently()
    if "CORRECTED_DATA" not in tables.names(job["vis"]):
        raise application.PipelineError(f"it says that all is well, but {job['vis']} has no CORRECTED_DATA")
    result["imported_rows_by_field"] = tables.rows_by_field(job["vis"])
    progress.say("split", 80)
    reference.take_out(job, tasks, tables, {})
    reference.verify(job, progress, result, tables, "pipeline")
    result["casa_version"] = version


def _left_error() -> "str | None":
    """Read the files that the pipeline writes where it ends with an error and exit status 0."""
    found = [path for folder in (".", "../products") for path in sorted(Path(folder).glob("errorexit-*.txt"))]
    return "; ".join(f"{path.name}: {path.read_text(errors='replace').strip()[-1000:]}" for path in found) or None


if __name__ == "__main__":
    sys.exit(importlib.import_module("reference").main(Path(sys.argv[1]), restore))

"""Start the whole CASA application, which has the pipeline and runs delivered scripts, and see how it ends."""

import importlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

_DRIVER = Path(__file__).parent / "in_application.py"


class CasaVersionError(Exception):
    """The application is another CASA than the one that is needed."""


class PipelineError(Exception):
    """The pipeline ended with an error, or without all that it had to make."""


class ScriptError(Exception):
    """A delivered script ended with an error, or without its calibrated data."""


def run(job: "dict[str, Any]", wanted: "dict[str, str]", result: "dict[str, Any]") -> "str | None":
    """Run a request or a script to its end.

    Parameters
    ----------
    job
        The job of the way.
    wanted
        What to run: ``ppr``, or ``script`` and ``folder``.
    result
        Is told which CASA it was.

    Returns
    -------
    str or None
        Why it did not go well, None if it says that it did.

    Raises
    ------
    CasaVersionError
        If it is another CASA.
    """
    told_in = Path(job["shell_job"]).with_suffix(".result")
    order = {
        "ppr": "",
        "script": "",
        "folder": "",
        "version": job["shell_version"] or "",
        "log": job["shell_log"],
        "result": str(told_in),
    }
    Path(job["shell_job"]).write_text(json.dumps({**order, **wanted}))
    status = _wait([*job["shell"], "-c", str(_DRIVER), job["shell_job"]], job["shell_environment"])
    told = json.loads(told_in.read_text()) if told_in.exists() else {}
    result["casa_version"] = told.get("version")
    error = told.get("error")
    if error and error.startswith("CasaVersionError"):
        raise CasaVersionError(error.partition(": ")[2])
    if error is None and not told:
        error = "nothing was told"
    return f"exit status {status}: {error or 'nothing was told'}" if status or error else None


def _wait(command: "list[str]", environment: "dict[str, str]") -> int:
    """Run a command that dies with this process."""
    reference, parent = importlib.import_module("reference"), os.getpid()
    process = subprocess.Popen(  # noqa: S603 (the operator's command, our own files)
        ["/usr/bin/env", *(f"{name}={value}" for name, value in environment.items()), *command],
        stdin=subprocess.DEVNULL,
        preexec_fn=lambda: reference.die_with_parent(parent),
    )
    return process.wait()

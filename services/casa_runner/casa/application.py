"""Start the whole CASA application, which has the pipeline and runs delivered scripts, and see how it ends."""

import ctypes
import importlib
import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

_SET_PARENT_DEATH_SIGNAL = 1
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
    command = [*job["shell"], "-c", str(_DRIVER), job["shell_job"]]
    status = _wait(command, job["shell_environment"], runner=job["parent"])
    told = json.loads(told_in.read_text()) if told_in.exists() else {}
    result["casa_version"] = told.get("version")
    error = told.get("error")
    if error and error.startswith("CasaVersionError"):
        raise CasaVersionError(error.partition(": ")[2])
    if error is None and not told:
        error = "nothing was told"
    return f"exit status {status}: {error or 'nothing was told'}" if status or error else None


def _wait(command: "list[str]", environment: "dict[str, str]", *, runner: int) -> int:
    """Run a command that dies with this process, and with all that it starts when the runner dies."""
    reference, parent = importlib.import_module("reference"), os.getpid()
    if os.getpgrp() == parent:
        _die_in_company(runner)
    process = subprocess.Popen(  # noqa: S603 (the operator's command, our own files)
        ["/usr/bin/env", *(f"{name}={value}" for name, value in environment.items()), *command],
        stdin=subprocess.DEVNULL,
        preexec_fn=lambda: reference.die_with_parent(parent),
    )
    try:
        return process.wait()
    finally:
        # What follows are CASA's tasks, and Python hears no signal while one works: the kernel has to end us.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        reference.die_with_parent(runner)


def _die_in_company(runner: int) -> None:
    """Kill our whole group when the runner dies: what a command starts in its turn would hear nothing of it."""

    def end(*_: object) -> None:
        os.killpg(0, signal.SIGKILL)

    signal.signal(signal.SIGTERM, end)
    ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGTERM)
    if runner and os.getppid() != runner:
        end()

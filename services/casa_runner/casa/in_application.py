"""Run a processing request or a delivered script inside the CASA application: ``casa -c in_application.py JOB``.

The application may be of any age: what stands here is read by Python 2 and Python 3 alike,
and CASA's names are those of the scope in which it runs this file. Not to be imported.
"""

import importlib
import json
import os
import re
import sys
import traceback


def version_here():
    # type: () -> str
    """Tell which CASA this is, as it says itself."""
    try:
        return str(importlib.import_module("casatools").version_string())
    except ImportError:
        return str(importlib.import_module("casadef").casa_version)


def is_version(here, wanted):
    # type: (str, str) -> bool
    """Whether a CASA is of a version, as far as both are told: 4.7.2 is 4.7.2-REL and not 4.7.0."""
    numbers, asked = re.findall("[0-9]+", here), re.findall("[0-9]+", wanted)
    common = min(len(numbers), len(asked))
    return common > 1 and numbers[:common] == asked[:common]


def run_file(path, scope=None):
    # type: (str, dict[str, object] | None) -> None
    """Run a file in a scope, as the application's ``execfile`` does."""
    with open(path) as stream:  # noqa: PTH123 (Python 2 has no paths)
        text = stream.read()
    exec(compile(text, path, "exec"), globals() if scope is None else scope)  # noqa: S102  # it is what the archive delivers to be run


def run_request(ppr):
    # type: (str) -> None
    """Have the pipeline run a request."""
    importlib.import_module("pipeline.infrastructure.executeppr").executeppr(ppr, importonly=False)


def run_script(job):
    # type: (dict[str, str]) -> None
    """Run a delivered scriptForPI in the scope of the application, told to delete what nobody wants."""
    scope = globals()
    scope.setdefault("execfile", run_file)
    scope.update(SPACESAVING=1, DOSPLIT=True)
    os.chdir(job["folder"])
    run_file(job["script"], scope)


def work(job):
    # type: (dict[str, str]) -> dict[str, str]
    """Do the job and tell what came of it."""
    told = {"version": version_here()}
    if job["version"] and not is_version(told["version"], job["version"]):
        return dict(
            told, error="CasaVersionError: this is CASA {version}, and {0} is needed".format(job["version"], **told)
        )
    log = globals().get("casalog")
    if log is not None:
        log.setlogfile(job["log"])
    try:
        if job["ppr"]:
            run_request(job["ppr"])
        else:
            run_script(job)
    except BaseException as error:  # whatever it is, also what ends programs: it is to be told
        traceback.print_exc()
        return dict(told, error="{}: {}".format(type(error).__name__, error))  # noqa: UP032 (Python 2)
    return told


def main():
    # type: () -> None
    """Read the job, whose name is the last argument, do it, and say how it went."""
    with open(sys.argv[-1]) as stream:  # noqa: PTH123 (Python 2 has no paths)
        job = json.load(stream)
    told = work(job)
    with open(job["result"], "w") as stream:  # noqa: PTH123 (Python 2 has no paths)
        json.dump(told, stream)
    if "error" in told:
        sys.exit(1)


main()

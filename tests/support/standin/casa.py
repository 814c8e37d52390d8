"""The application CASA, in short: ``casa [options] -c FILE ARGUMENTS`` runs a file in a scope that has CASA's names.

What it says and does for the pipeline and for delivered scripts is done by the real tasks.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.standin import pipeline

TASKS = (
    *("applycal", "bandpass", "flagdata", "flagmanager", "fluxscale", "gaincal", "gencal", "importasdm"),
    *("listobs", "mstransform", "setjy", "split"),
)


def main(behaviour: str) -> None:
    """Run what follows ``-c``.

    Parameters
    ----------
    behaviour
        How the pipeline in it behaves; empty: as it should.
    """
    # Only a whole application has a package of this name, and finds it by itself.
    sys.path.insert(0, str(Path(__file__).parent))
    pipeline.behaviour = behaviour
    program = sys.argv[sys.argv.index("-c") + 1]
    scope: dict[str, Any] = {"__name__": "__main__", "casalog": _Log(), **{name: _task(name) for name in TASKS}}
    exec(compile(Path(program).read_text(), program, "exec"), scope)  # the program's whole purpose


def _task(name: str) -> Callable[..., Any]:
    """Return a task that is loaded when it is called."""

    def call(*arguments: Any, **keywords: Any) -> Any:
        return getattr(pipeline.load_tasks(), name)(*arguments, **keywords)

    return call


class _Log:
    """The log of the tasks, which is there before they are."""

    def setlogfile(self, path: str) -> None:
        """Say where it is written."""
        pipeline.log_file = path

    def __getattr__(self, name: str) -> Any:
        return getattr(pipeline.load_tasks().casalog, name)

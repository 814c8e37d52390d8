"""A stand-in for the ALMA pipeline, which no registry has: it does with real CASA what its public code does.

Its behaviours are the documented ways to fail: ``errorexit`` (a file of that name, exit status 0), ``raises``,
``dies`` (exit status 3), ``crashes`` (a signal), ``no-ms``, ``no-corrected``, ``late`` (CORRECTED_DATA is there, then
it raises), ``severe`` (all is there and nothing raises, but an error is in the log).
"""

import importlib
from types import ModuleType

behaviour = ""
log_file = ""


def load_tasks() -> ModuleType:
    """Load the tasks, which a whole application has from the start, and have them write the log that was named."""
    tasks = importlib.import_module("casatasks")
    if log_file and tasks.casalog.logfile() != log_file:
        tasks.casalog.setlogfile(log_file)  # CASA takes no other file before its tasks are there
    return tasks

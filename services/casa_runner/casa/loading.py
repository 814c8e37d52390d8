"""Load CASA's tasks faster than their package does."""

import importlib
import importlib.util
import sys
import types
from typing import Any


def load_tasks() -> Any:
    """Import ``casatasks``, each task only when it is asked for.

    The package imports some 120 tasks with scipy and all, which takes longer than a
    small restore. Here its module is filled as its own first lines do and finds tasks
    on demand; where a release does not allow that, the whole package is imported.
    """
    try:
        tasks = _tasks_on_demand()
        for name in ("importasdm", "flagmanager", "applycal", "split"):
            getattr(tasks, name)
    except (AttributeError, ImportError):
        for name in [name for name in sys.modules if name.split(".")[0] in ("casatasks", "matplotlib")]:
            del sys.modules[name]
        tasks = importlib.import_module("casatasks")
    return tasks


def _tasks_on_demand() -> Any:
    spec = importlib.util.find_spec("casatasks")
    if spec is None:
        raise ImportError("there is no casatasks")
    tasks: Any = importlib.util.module_from_spec(spec)
    sys.modules["casatasks"] = tasks
    config = importlib.import_module("casaconfig.config")
    tasks.casalog = importlib.import_module("casatools").logsink(config.logfile)
    tasks.casalog.setglobal(True)
    for name in ("matplotlib", "matplotlib.pyplot"):  # imported on the way, but nothing is plotted
        sys.modules.setdefault(name, types.ModuleType(name))

    def find(name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        task = getattr(importlib.import_module("casatasks." + name), name)
        setattr(tasks, name, task)
        return task

    tasks.__getattr__ = find
    return tasks

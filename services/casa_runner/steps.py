"""Follows where CASA is: by the steps that our scripts write, and by what a whole application logs while they wait."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

# Our scripts' steps in which the application works: the pipeline, or a delivered script.
_OF_APPLICATION = ("pipeline", "scriptForPI")
# The pipeline says which of its stages begins (pipeline.infrastructure.basetask), CASA which task.
_STAGE = re.compile(rb"Starting execution for stage (\d+)")
_TASK = re.compile(rb"Begin Task: (\w+)")
# How much is behind a task, of the 10 to 75 percent that are the application's; after applycal the end is near.
_TASKS = {"importasdm": 12.0, "flagmanager": 40.0, "applycal": 45.0}
_AFTER_APPLYCAL = 70.0


class Steps:
    """Reads steps with their percentages as they come; the percentage never falls within an application's work.

    Parameters
    ----------
    progress
        Steps of our script, a JSON object a line.
    application_log
        The log of the application that the script starts, if it starts one; need not be there.
    """

    def __init__(self, progress: Path, *, application_log: Path) -> None:
        self._told = _Lines(progress)
        self._logged = _Lines(application_log)
        self._step, self._percent = "starting", 0.0

    def new(self) -> Iterator[tuple[str, float]]:
        """Yield what came since the last look."""
        for line in self._told.new():
            word = json.loads(line)
            self._step, self._percent = str(word["step"]), float(word["percent"])
            yield self._step, self._percent
        if self._step in _OF_APPLICATION:
            for line in self._logged.new():
                if found := _TASK.search(line):
                    task = found[1].decode()
                    self._percent = max(self._percent, self._behind(task))
                    yield task, self._percent
                elif found := _STAGE.search(line):
                    yield f"pipeline stage {found[1].decode()}", self._percent

    def _behind(self, task: str) -> float:
        after_applycal = task != "applycal" and self._percent >= _TASKS["applycal"]
        return _AFTER_APPLYCAL if after_applycal else _TASKS.get(task, 0.0)


class _Lines:
    """Reads a file while it grows; a line that is not whole yet waits."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at = 0

    def new(self) -> Iterator[bytes]:
        try:
            stream = self._path.open("rb")
        except FileNotFoundError:
            return
        with stream:
            stream.seek(self._at)
            while (line := stream.readline()).endswith(b"\n"):
                self._at += len(line)
                yield line

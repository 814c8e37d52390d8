"""Where CASA is, by our script's steps and by the log of the application that it waits for."""

from pathlib import Path

import pytest

from services.casa_runner.steps import Steps

BEGIN = "2026-11-29 12:00:00\tINFO\t{0}::::casa\t##### Begin Task: {0}             #####\n"
STAGE = "2026-11-29 12:00:00\tINFO\thifa_restoredata::::casa\tStarting execution for stage 1\n"


class Written:
    """The two files, and what is read of them."""

    def __init__(self, folder: Path) -> None:
        self._progress, self._log = folder / "progress", folder / "shell.log"
        self._steps = Steps(self._progress, application_log=self._log)

    def told(self, progress: str = "", log: str = "") -> list[tuple[str, float]]:
        """Append to both, and give the steps that are new."""
        for path, text in ((self._progress, progress), (self._log, log)):
            with path.open("a") as file:
                file.write(text)
        return list(self._steps.new())


@pytest.fixture
def written(tmp_path: Path) -> Written:
    return Written(tmp_path)


def test_the_pipelines_stages_and_tasks_are_steps_and_the_percentage_does_not_fall(written: Written) -> None:
    assert written.told('{"step": "pipeline", "percent": 10}\n') == [("pipeline", 10.0)]
    log = STAGE + "".join(map(BEGIN.format, ("importasdm", "flagmanager", "flagdata", "applycal")))
    assert written.told(log=log) == [
        ("pipeline stage 1", 10.0),
        ("importasdm", 12.0),
        ("flagmanager", 40.0),
        ("flagdata", 40.0),
        ("applycal", 45.0),
    ]
    later = BEGIN.format("flagdata") + BEGIN.format("applycal")
    assert written.told(log=later) == [("flagdata", 70.0), ("applycal", 70.0)]
    last = """{"step": "pipeline's data", "percent": 75}\n"""
    assert written.told(last, BEGIN.format("split")) == [("pipeline's data", 75.0)]


def test_a_line_that_is_not_whole_yet_waits(written: Written) -> None:
    assert written.told('{"step": "scriptForPI", "per', "Begin Task: importasdm") == []
    assert written.told('cent": 10}\n') == [("scriptForPI", 10.0)]
    assert written.told(log=" #####\n") == [("importasdm", 12.0)]


def test_tasks_of_our_own_scripts_are_told_by_these_alone(written: Written) -> None:
    assert written.told('{"step": "split", "percent": 80}\n', BEGIN.format("split")) == [("split", 80.0)]

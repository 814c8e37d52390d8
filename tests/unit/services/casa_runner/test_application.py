"""The whole application runs as a process of its own, which ends when whoever started it is dead."""

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from services.casa_runner.job import CasaFiles
from services.casa_runner.way_by_pipeline import SCRIPT
from tests.support.casa_jobs import Jobs


def start(files: CasaFiles, *shell: str) -> "subprocess.Popen[bytes]":
    """Start the way of the pipeline with something else in the application's place."""
    write(files, *shell)
    return subprocess.Popen(
        [sys.executable, SCRIPT, files.job], cwd=files.attempt.working, env=files.environment, stdout=subprocess.DEVNULL
    )


def write(files: CasaFiles, *shell: str) -> None:
    """Write the job of the way of the pipeline."""
    more = {"shell": shell, "shell_version": None, "shell_environment": {"PLACE": "here"}, "ppr": "PPR_x.xml"}
    files.write(more=more)


def program(folder: Path, text: str) -> str:
    path = folder / "application.py"
    path.write_text(f"import json, os, sys, time\njob = json.load(open(sys.argv[-1]))\n{text}\n")
    return str(path)


@pytest.mark.timeout(60)
def test_it_dies_with_the_one_that_started_it(tmp_path: Path) -> None:
    fifo = tmp_path / "alive"
    os.mkfifo(fifo)
    waits = program(tmp_path, f"open({str(fifo)!r}, 'w').write(f'{{os.getpid()}}\\n')\nwhile True: time.sleep(1)")
    with Jobs(tmp_path).attempt() as files:
        process = start(files, sys.executable, waits)
        application = os.pidfd_open(int(fifo.read_text()))

        process.send_signal(signal.SIGKILL)
        process.wait()

        assert select.select([application], [], [], 30)[0] == [application]
        os.close(application)


RUNNER = """
import json, os, pathlib, subprocess, sys
script, job = map(pathlib.Path, sys.argv[1:])
job.write_text(json.dumps(json.loads(job.read_text()) | {"parent": os.getpid()}))
subprocess.Popen([sys.executable, script, job], start_new_session=True).wait()
"""


@pytest.mark.timeout(60)
def test_an_application_that_is_started_by_a_script_of_the_shell_dies_with_the_runner(tmp_path: Path) -> None:
    fifo, wrapper = tmp_path / "alive", tmp_path / "casa"
    os.mkfifo(fifo)
    wrapper.write_text('"$@" &\nwait\n')
    waits = program(tmp_path, f"open({str(fifo)!r}, 'w').write(f'{{os.getpid()}}\\n')\nwhile True: time.sleep(1)")
    with Jobs(tmp_path).attempt() as files:
        write(files, "/bin/sh", str(wrapper), sys.executable, waits)
        with subprocess.Popen([sys.executable, "-c", RUNNER, SCRIPT, files.job], cwd=files.attempt.working) as runner:
            application = os.pidfd_open(int(fifo.read_text()))
            runner.kill()

        assert select.select([application], [], [], 30)[0] == [application]
        os.close(application)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("sys.exit(5)", "PipelineError: exit status 5: nothing was told"),
        ("", "PipelineError: exit status 0: nothing was told"),
        (
            "json.dump({'version': '6.6.6', 'error': 'KeyError: x'}, open(job['result'], 'w'))",
            "PipelineError: exit status 0: KeyError: x",
        ),
        (
            "json.dump({'version': os.environ['PLACE'] + sys.argv[1]}, open(job['result'], 'w'))",
            "PipelineError: it says that all is well, but there is no uid___A002_Xc7111c_X3979.ms",
        ),
    ],
)
def test_how_it_ended_is_told(tmp_path: Path, text: str, told: str) -> None:
    with Jobs(tmp_path).attempt() as files:
        status = start(files, sys.executable, program(tmp_path, text)).wait()

        result = json.loads(files.result.read_text())
        assert (status, result["error"]) == (1, told)
        assert result["casa_version"] in (None, "6.6.6", "here-c")

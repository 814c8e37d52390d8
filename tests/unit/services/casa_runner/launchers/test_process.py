"""How a process ended is told apart, and nothing of its group outlives it."""

import fcntl
import signal
import sys
import time

import pytest

from services.casa_runner.job import CasaFiles
from services.casa_runner.launcher import MemoryLimitError
from services.casa_runner.launchers import process
from services.casa_runner.launchers.process import ProcessLauncher
from tests.support.casa_jobs import Jobs

ENOUGH = 30
KILLED = "os.kill(os.getpid(), signal.SIGKILL)\n"


@pytest.fixture
def launcher() -> ProcessLauncher:
    return ProcessLauncher(command=[sys.executable])


@pytest.mark.parametrize("behaviour", ["raise MemoryError()\n", "print('std::bad_alloc', flush=True); os.abort()\n"])
def test_want_of_memory_is_told_apart_also_where_no_limit_is_set(
    launcher: ProcessLauncher, jobs: Jobs, files: CasaFiles, behaviour: str
) -> None:
    with pytest.raises(MemoryLimitError) as raised:
        launcher.start(jobs.script(behaviour), files).wait(ENOUGH)
    assert raised.value.limit is None


@pytest.mark.parametrize("behaviour", [KILLED, "sys.exit('the application was killed')\n"])
def test_what_the_kernel_ended_for_want_of_memory_is_told_apart(
    launcher: ProcessLauncher, jobs: Jobs, files: CasaFiles, monkeypatch: pytest.MonkeyPatch, behaviour: str
) -> None:
    counts = iter([7, 8])
    monkeypatch.setattr(process, "oom_kills", lambda: next(counts))
    with pytest.raises(MemoryLimitError) as raised:
        launcher.start(jobs.script(behaviour), files).wait(ENOUGH)
    assert raised.value.limit is None


@pytest.mark.parametrize(("before", "after"), [(7, 7), (None, None), (None, 3), (7, None)])
def test_a_kill_that_nobody_counted_is_a_crash(
    launcher: ProcessLauncher,
    jobs: Jobs,
    files: CasaFiles,
    monkeypatch: pytest.MonkeyPatch,
    before: int | None,
    after: int | None,
) -> None:
    counts = iter([before, after])
    monkeypatch.setattr(process, "oom_kills", lambda: next(counts))
    assert launcher.start(jobs.script(KILLED), files).wait(ENOUGH) == -signal.SIGKILL


FORKS = """
lock = open("lock", "w")
fcntl.flock(lock, fcntl.LOCK_EX)
shell = "(trap '' TERM; echo started; exec sleep 600) & wait"
wrapper = subprocess.Popen(["/bin/sh", "-c", shell], stdout=subprocess.PIPE, pass_fds=[lock.fileno()])
wrapper.stdout.readline()
"""
"""What a script starts through a shell's script holds a lock for as long as it lives."""


@pytest.mark.parametrize(
    ("end", "status"),
    [(KILLED, -signal.SIGKILL), ("os.kill(wrapper.pid, signal.SIGKILL)\nsys.exit(wrapper.wait())\n", 247)],
    ids=["the script is killed", "the wrapper is killed"],
)
def test_what_a_wrapper_started_does_not_outlive_the_script(
    launcher: ProcessLauncher, jobs: Jobs, files: CasaFiles, end: str, status: int
) -> None:
    running = launcher.start(jobs.script(FORKS + end), files)
    assert running.wait(ENOUGH) == status
    with (files.attempt.working / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    running.stop()
    assert running.wait(0) == status


def test_what_a_wrapper_started_is_ended_with_the_script(
    launcher: ProcessLauncher, jobs: Jobs, files: CasaFiles
) -> None:
    running = launcher.start(jobs.script(FORKS + "say('hanging')\nwhile True: time.sleep(1)\n"), files)
    until = time.monotonic() + ENOUGH
    while not files.progress.read_text():
        assert time.monotonic() < until
        assert running.wait(0.05) is None
    running.stop()
    with (files.attempt.working / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert running.wait(0) == -signal.SIGKILL

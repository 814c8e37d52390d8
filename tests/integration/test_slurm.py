"""Slurm: jobs outlive the runner and are taken up, and every end that is not CASA's own is told apart."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep

import pytest
from pydantic import ByteSize

from services.casa_runner.errors import CasaAwayError
from services.casa_runner.job import CasaFiles
from services.casa_runner.launcher import CasaLostError, Launcher, RunningCasa
from services.casa_runner.launchers.choice import make_launcher
from services.casa_runner.launchers.settings import SlurmSettings
from services.casa_runner.launchers.slurm import SlurmRecord
from services.casa_runner.workspace import Attempt
from tests.support.casa_jobs import HANG, Jobs
from tests.support.casa_standin import EB
from tests.support.documented import documented
from tests.support.slurm import ENOUGH, SlurmCluster

REPOSITORY = Path(__file__).parents[2]
WAIT_FOR_GO = (
    "say('waiting')\nwhile not os.path.exists('go'): time.sleep(0.02)\nsys.exit(int(open('go').read() or 7))\n"
)


@pytest.fixture
def settings(slurm_cluster: SlurmCluster) -> SlurmSettings:
    """What the document shows, but with the Python and the cluster of this machine."""
    shown = documented(SlurmSettings)
    of_this_machine = {
        "configuration": slurm_cluster.configuration,
        "memory": ByteSize(100_000_000),
        "poll_interval": 0.2,
        "casa": shown.casa.model_copy(update={"command": (sys.executable,)}),
    }
    return shown.model_copy(update=of_this_machine)


@pytest.fixture(autouse=True)
def _told_by_slurm(slurm_cluster: SlurmCluster) -> Iterator[None]:
    """Let what Slurm says stand beside a failure."""
    yield
    print(slurm_cluster.said())


@pytest.fixture
def launcher(settings: SlurmSettings) -> Launcher:
    return make_launcher(settings)


def wait_until_it_works(files: CasaFiles) -> None:
    until = monotonic() + ENOUGH
    while not files.progress.stat().st_size:
        assert monotonic() < until
        sleep(0.05)


def states(cluster: SlurmCluster, name: str) -> list[str]:
    return cluster.ask("squeue", "--noheader", "--states=all", f"--name={name}", "--format=%T").split()


def record_of(files: CasaFiles) -> SlurmRecord:
    record = SlurmRecord.read(files.attempt.logs)
    assert record is not None
    return record


RUNNER = """
import pathlib, sys
from services.casa_runner.launchers.settings import SlurmSettings
from services.casa_runner.launchers.choice import make_launcher
from tests.support.casa_jobs import Jobs

jobs = Jobs(pathlib.Path(sys.argv[1]))
launcher = make_launcher(SlurmSettings.model_validate_json(sys.argv[2]))
with jobs.attempt() as files:
    running = launcher.start(jobs.script(sys.argv[3]), files)
    print(files.attempt.root, file=sys.stderr, flush=True)
    running.wait(600)
"""


@pytest.fixture
def orphan(settings: SlurmSettings, tmp_path: Path) -> CasaFiles:
    """An attempt whose runner was killed while its job worked."""
    command = [sys.executable, "-c", RUNNER, str(tmp_path), settings.model_dump_json(), WAIT_FOR_GO]
    with subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True) as runner:
        assert runner.stderr is not None
        attempt = Attempt(Path(runner.stderr.readline().strip()))
        files = CasaFiles(attempt, EB)
        try:
            wait_until_it_works(files)
        finally:
            runner.kill()
    return files


def finish(running: RunningCasa, files: CasaFiles) -> None:
    assert running.wait(0.5) is None
    (files.attempt.working / "go").touch()
    assert running.wait(ENOUGH) == 7


def taken_up(launcher: Launcher, files: CasaFiles) -> RunningCasa:
    running = launcher.take_up(files)
    assert running is not None
    return running


def test_the_job_of_a_killed_runner_is_taken_up_and_not_started_again(
    launcher: Launcher, slurm_cluster: SlurmCluster, jobs: Jobs, orphan: CasaFiles
) -> None:
    assert launcher.end_orphans(jobs.attempts, spare=lambda _: True) == {orphan.attempt.root}
    running = taken_up(launcher, orphan)
    finish(running, orphan)
    assert len(states(slurm_cluster, f"alma-restore-{orphan.attempt.name}")) <= 1


def test_a_job_whose_number_was_never_written_down_is_found_by_its_name(
    launcher: Launcher, jobs: Jobs, orphan: CasaFiles
) -> None:
    record = record_of(orphan)
    record.model_copy(update={"job": None}).write(orphan.attempt.logs)
    assert launcher.end_orphans(jobs.attempts, spare=lambda _: True) == {orphan.attempt.root}
    running = taken_up(launcher, orphan)
    assert record_of(orphan).job == record.job
    finish(running, orphan)


def test_the_job_of_a_killed_runner_is_ended_where_nobody_takes_it_up(
    launcher: Launcher, slurm_cluster: SlurmCluster, jobs: Jobs, files: CasaFiles, orphan: CasaFiles
) -> None:
    living = launcher.start(jobs.script(HANG), files)
    assert launcher.end_orphans(jobs.attempts) == frozenset()
    assert launcher.take_up(orphan) is None
    assert living.wait(0) is None
    living.stop()


def test_a_job_that_ended_while_no_runner_looked_is_told_as_it_ended(
    launcher: Launcher, slurm_cluster: SlurmCluster, jobs: Jobs, orphan: CasaFiles
) -> None:
    (orphan.attempt.working / "go").write_text("0")
    until = monotonic() + ENOUGH
    while states(slurm_cluster, f"alma-restore-{orphan.attempt.name}"):  # until only the accounting knows it
        assert monotonic() < until
        sleep(0.2)
    assert launcher.end_orphans(jobs.attempts, spare=lambda _: True) == {orphan.attempt.root}
    assert taken_up(launcher, orphan).wait(ENOUGH) == 0


def test_the_runners_environment_and_options_for_sbatch_do_not_reach_the_job(
    launcher: Launcher, jobs: Jobs, files: CasaFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SBATCH_PARTITION", "nowhere")
    monkeypatch.setenv("SECRET", "secret")
    behaviour = "sys.exit('SECRET' in os.environ or any('SLURM' in name for name in os.environ))\n"
    assert launcher.start(jobs.script(behaviour), files).wait(ENOUGH) == 0


def test_a_job_that_somebody_cancels_is_tried_again(
    launcher: Launcher, slurm_cluster: SlurmCluster, jobs: Jobs, files: CasaFiles
) -> None:
    running = launcher.start(jobs.script(HANG), files)
    wait_until_it_works(files)
    slurm_cluster.ask("scancel", str(record_of(files).job))
    with pytest.raises(CasaLostError, match="CANCELLED"):
        running.wait(ENOUGH)
    running.stop()


def test_a_number_that_slurm_gave_to_another_job_is_not_taken_for_ours(
    launcher: Launcher, jobs: Jobs, files: CasaFiles
) -> None:
    running = launcher.start(jobs.script(HANG), files)
    with jobs.attempt() as others:
        SlurmRecord(name="of-a-job-that-slurm-forgot", memory=1, job=record_of(files).job).write(others.attempt.logs)
        assert launcher.start(jobs.script("sys.exit(5)\n"), others).wait(ENOUGH) == 5
    assert running.wait(0) is None
    running.stop()


def test_a_job_that_still_waits_is_cancelled(
    settings: SlurmSettings, slurm_cluster: SlurmCluster, jobs: Jobs, files: CasaFiles
) -> None:
    launcher = make_launcher(settings.model_copy(update={"options": ("--hold",)}))
    running = launcher.start(jobs.script(HANG), files)
    assert running.wait(0.1) is None
    running.stop()
    assert set(states(slurm_cluster, f"alma-restore-{files.attempt.name}")) <= {"CANCELLED"}


def test_a_controller_that_is_away_is_waited_for(
    settings: SlurmSettings, slurm_cluster: SlurmCluster, jobs: Jobs, files: CasaFiles
) -> None:
    launcher = make_launcher(settings.model_copy(update={"answer_timeout": 3.0}))
    running = launcher.start(jobs.script(WAIT_FOR_GO), files)
    wait_until_it_works(files)
    slurm_cluster.stop_controller()
    try:
        assert not launcher.is_ready()
        assert running.wait(0.1) is None
        with jobs.attempt() as others, pytest.raises(CasaAwayError, match="sbatch"):
            launcher.start(jobs.script(""), others)
    finally:
        slurm_cluster.start_controller()
    (files.attempt.working / "go").touch()
    assert running.wait(ENOUGH) == 7


def test_missing_programs_are_named(settings: SlurmSettings, jobs: Jobs, files: CasaFiles, tmp_path: Path) -> None:
    launcher = make_launcher(settings.model_copy(update={"programs": tmp_path}))
    assert not launcher.is_ready()
    with pytest.raises(CasaAwayError, match="sbatch cannot be started"):
        launcher.start(jobs.script(""), files)


def test_a_partition_that_is_not_there_is_told_in_slurms_words(
    settings: SlurmSettings, jobs: Jobs, files: CasaFiles
) -> None:
    launcher = make_launcher(settings.model_copy(update={"partition": "nowhere"}))
    with pytest.raises(CasaAwayError, match="invalid partition"):
        launcher.start(jobs.script(""), files)

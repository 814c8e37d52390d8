"""What every launcher does with a job: real processes, a real container engine, a real Slurm cluster.

Kubernetes is a stand-in that speaks the cluster's REST interface and runs pods as processes.
"""

import fcntl
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest

from contracts.reasons import ReasonCode
from services.casa_runner.errors import CasaAwayError
from services.casa_runner.job import CasaFiles
from services.casa_runner.launcher import Launcher, MemoryLimitError, Needs, RunningCasa
from services.casa_runner.launchers.choice import make_launcher
from services.casa_runner.launchers.settings import (
    CasaPlace,
    ContainerSettings,
    KubernetesSettings,
    LauncherSettings,
    ProcessSettings,
    SlurmSettings,
)
from shared.errors import BlockFailedError
from tests.support.casa_jobs import EAT_MEMORY, HANG, USER, Jobs
from tests.support.docker_engine import IMAGE, DockerEngine, python_mounts
from tests.support.kubernetes_cluster import NAMESPACE, KubernetesCluster
from tests.support.slurm import ENOUGH, PARTITION, SlurmCluster

MEMORY = 150_000_000


@pytest.fixture
def kubernetes_cluster(tmp_path: Path) -> Iterator[KubernetesCluster]:
    with KubernetesCluster(tmp_path) as cluster:
        cluster.images |= {"casa:6.7", "casa-4.7.2-el7"}
        yield cluster


@pytest.fixture(params=["process", "container", "slurm", "kubernetes"])
def settings(request: pytest.FixtureRequest) -> LauncherSettings:
    """A launcher for this machine's Python, with CASAs of the build el7 and a broken CASA 3."""
    python = (sys.executable,)
    kind = str(request.param)
    if kind == "process":
        return ProcessSettings(
            casa=CasaPlace(command=python),
            casas={"3.*": CasaPlace(command=("/nowhere/casa",))},
            builds={"el7": CasaPlace(command=(*python, "-B"))},
        )
    if kind == "container":
        engine: DockerEngine = request.getfixturevalue("docker_engine")
        return ContainerSettings(
            engine=engine.address,
            user=USER if os.getuid() == 0 else None,
            mounts=python_mounts(),
            casa=CasaPlace(command=python, image=IMAGE),
            casas={"3.*": CasaPlace(command=python, image="alma-restore-test/missing:3")},
            builds={"el7": CasaPlace(command=(*python, "-B"), image="alma-restore-test/{image}")},
        )
    if kind == "kubernetes":
        api: KubernetesCluster = request.getfixturevalue("kubernetes_cluster")
        return KubernetesSettings(
            api=api.address,
            account=api.account,
            namespace=NAMESPACE,
            claim_path=Path("/"),
            uid=os.getuid() or 1000,
            poll_interval=0.1,
            casa=CasaPlace(command=python, image="casa:6.7"),
            casas={"3.*": CasaPlace(command=python, image="casa-missing:3")},
            builds={"el7": CasaPlace(command=(*python, "-B"), image="{image}")},
        )
    cluster: SlurmCluster = request.getfixturevalue("slurm_cluster")
    return SlurmSettings(
        configuration=cluster.configuration,
        partition=PARTITION,
        memory="200MB",
        time_limit=5,
        poll_interval=0.2,
        casa=CasaPlace(command=python),
        casas={"3.*": CasaPlace(command=python, constraint="missing")},
        builds={"el7": CasaPlace(command=(*python, "-B"), constraint="{build}")},
    )


@pytest.fixture
def launcher(settings: LauncherSettings) -> Launcher:
    return make_launcher(settings)


def steps(files: CasaFiles, running: RunningCasa) -> Iterator[str]:
    """Yield the steps that a job says."""
    until = monotonic() + ENOUGH
    with files.progress.open() as stream:
        while monotonic() < until:
            if line := stream.readline():
                yield str(json.loads(line)["step"])
            else:
                assert running.wait(0.05) is None, files.printed.read_text()


@pytest.mark.parametrize(
    ("behaviour", "status"),
    [
        ("pass\n", 0),
        ("sys.exit(3)\n", 3),
        ("os.kill(os.getpid(), signal.SIGSEGV)\n", -signal.SIGSEGV),
        ("os.kill(os.getpid(), signal.SIGKILL)\n", -signal.SIGKILL),
        ("os.abort()\n", -signal.SIGABRT),
    ],
)
def test_the_exit_status_is_that_of_the_script(
    launcher: Launcher, jobs: Jobs, files: CasaFiles, behaviour: str, status: int
) -> None:
    running = launcher.start(jobs.script(behaviour), files)
    assert running.wait(ENOUGH) == status
    running.stop()
    assert running.wait(0) == status


def test_the_script_has_its_job_its_directory_and_no_environment_but_its_own(
    launcher: Launcher, jobs: Jobs, files: CasaFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALMA_RESTORE_STORE__SECRET_KEY", "secret")
    behaviour = (
        "import beside\nprint('to', 'stdout', flush=True)\nprint('to stderr', file=sys.stderr)\n"
        "tell(cwd=os.getcwd(), environment=dict(os.environ), word=beside.WORD, vis=job['vis'])\n"
    )
    assert launcher.start(jobs.script(behaviour), files).wait(ENOUGH) == 0
    found = json.loads(files.result.read_text())
    assert (found["cwd"], found["word"], found["vis"]) == (str(files.attempt.working), "beside", files.vis)
    # Python itself sets LC_CTYPE, and an engine the name of the host.
    added = {name: text for name, text in found["environment"].items() if name not in ("LC_CTYPE", "HOSTNAME")}
    assert added == files.environment
    assert sorted(files.printed.read_text().splitlines()) == ["to stderr", "to stdout"]
    assert not list(Path.cwd().glob("pwned"))


def test_a_script_that_works_is_not_ended_and_tells_its_steps(launcher: Launcher, jobs: Jobs, files: CasaFiles) -> None:
    go = files.attempt.working / "go"
    running = launcher.start(
        jobs.script("say('a')\nwhile not os.path.exists('go'): time.sleep(0.02)\nsay('b')\n"), files
    )
    assert next(steps(files, running)) == "a"
    assert running.wait(0) is None
    go.touch()
    assert running.wait(ENOUGH) == 0
    assert [json.loads(line)["step"] for line in files.progress.read_text().splitlines()] == ["a", "b"]


STUBBORN = """
signal.signal(signal.SIGTERM, signal.SIG_IGN)
lock = open("lock", "w")
fcntl.flock(lock, fcntl.LOCK_EX)
subprocess.Popen(["/bin/sh", "-c", "trap '' TERM; while :; do :; done"] if os.path.exists("/bin/sh") else
                 [sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)"],
                 pass_fds=[lock.fileno()])
"""


def test_a_stopped_script_and_what_it_started_are_dead_within_five_seconds_whatever_they_want(
    launcher: Launcher, jobs: Jobs, files: CasaFiles
) -> None:
    running = launcher.start(jobs.script(STUBBORN + HANG), files)
    assert next(steps(files, running)) == "hanging"
    began = monotonic()
    running.stop()
    with (files.attempt.working / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
    assert monotonic() - began < 5
    assert running.wait(0) == -signal.SIGKILL


def test_too_little_memory_is_told_apart_from_a_crash(launcher: Launcher, jobs: Jobs, files: CasaFiles) -> None:
    with pytest.raises(MemoryLimitError) as raised:
        launcher.start(jobs.script(EAT_MEMORY), files, Needs(memory=MEMORY)).wait(ENOUGH)
    assert raised.value.limit == MEMORY
    assert raised.value.reason is ReasonCode.CASA_OUT_OF_MEMORY


def test_a_bigger_limit_is_enough(launcher: Launcher, jobs: Jobs, files: CasaFiles) -> None:
    assert launcher.start(jobs.script(EAT_MEMORY), files, Needs(memory=10 * MEMORY)).wait(ENOUGH) == 0


def test_a_job_runs_with_the_casa_that_it_needs(launcher: Launcher, jobs: Jobs, files: CasaFiles) -> None:
    script = jobs.script("sys.exit(10 + sys.dont_write_bytecode)\n")
    assert launcher.start(script, files).wait(ENOUGH) == 10
    with jobs.attempt() as others:
        assert launcher.start(script, others, Needs(casa_version="4.7.2")).wait(ENOUGH) == 11


def test_a_version_that_nobody_has_fails_the_block(launcher: Launcher, jobs: Jobs, files: CasaFiles) -> None:
    with pytest.raises(BlockFailedError, match=r"4\.5\.3") as raised:
        launcher.start(jobs.script(""), files, Needs(casa_version="4.5.3"))
    assert raised.value.reason is ReasonCode.CASA_VERSION_UNAVAILABLE


def test_a_casa_that_is_missing_where_it_should_be_is_tried_later(
    launcher: Launcher, jobs: Jobs, files: CasaFiles
) -> None:
    with pytest.raises(CasaAwayError):
        launcher.start(jobs.script(""), files, Needs(casa_version="3.4.0")).wait(ENOUGH)


def test_it_is_ready_and_finds_no_orphans_where_none_are(launcher: Launcher, jobs: Jobs, files: CasaFiles) -> None:
    running = launcher.start(jobs.script(HANG), files)
    assert next(steps(files, running)) == "hanging"
    assert launcher.is_ready()
    assert launcher.end_orphans(jobs.attempts) == frozenset()
    assert running.wait(0) is None
    running.stop()


def test_what_is_left_to_the_next_runner_is_taken_up_once_and_not_begun_again(
    launcher: Launcher, jobs: Jobs, files: CasaFiles
) -> None:
    assert launcher.take_up(files) is None
    running = launcher.start(jobs.script("say('a')\nwhile not os.path.exists('go'): time.sleep(0.02)\n"), files)
    assert next(steps(files, running)) == "a"
    assert not running.is_queued() or running.wait(1) is None
    if not running.leave():
        running.stop()
        return
    taken_up = launcher.take_up(files)
    assert taken_up is not None
    (files.attempt.working / "go").touch()
    assert taken_up.wait(ENOUGH) == 0
    assert len(files.progress.read_text().splitlines()) == 1

"""Containers: what CASA can reach in one, and what becomes of them when runner, engine or somebody else fails."""

import itertools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from docker.errors import NotFound
from docker.models.containers import Container

from services.casa_runner.errors import CasaAwayError
from services.casa_runner.job import CasaFiles
from services.casa_runner.launcher import CasaLostError, Launcher, Needs
from services.casa_runner.launchers.choice import make_launcher
from services.casa_runner.launchers.container import LABEL
from services.casa_runner.launchers.settings import ContainerSettings
from shared.errors import MisconfiguredError
from tests.support.casa_jobs import HANG, USER, Jobs
from tests.support.docker_engine import IMAGE, DockerEngine, python_mounts
from tests.support.documented import documented

ENOUGH = 20.0
AS_USER = USER if os.getuid() == 0 else None
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def settings(docker_engine: DockerEngine) -> ContainerSettings:
    """What the document shows, but with the Python, the image and the engine of this machine."""
    shown = documented(ContainerSettings)
    of_this_machine = {
        "engine": docker_engine.address,
        "user": AS_USER,
        "mounts": python_mounts(),
        "processes": 20,
        "casa": shown.casa.model_copy(update={"command": (sys.executable,), "image": IMAGE}),
    }
    return shown.model_copy(update=of_this_machine)


@pytest.fixture
def launcher(settings: ContainerSettings) -> Launcher:
    return make_launcher(settings)


def only_container(engine: DockerEngine) -> Container:
    with engine.client() as client:
        [container] = client.containers.list(all=True)
    return container


LOOK = """
def writable(path):
    try:
        open(path, "w").close()
    except OSError:
        return False
    os.unlink(path)
    return True

def writable_folders():
    for folder, folders, _ in os.walk("/"):
        if writable(folder + "/x"):
            yield folder
        elsewhere = ("/proc", "/sys", sys.prefix, sys.base_prefix, "/usr/lib", "/usr/bin")
        folders[:] = [name for name in folders if os.path.join(folder, name) not in elsewhere]

def limit(*paths):
    return [open(path).read().split() for path in paths if os.path.exists(path)]

def forks():
    pids = []
    try:
        while len(pids) < 50:
            pids.append(os.fork() or time.sleep(5) or os._exit(0))
    except BlockingIOError:
        pass
    for pid in pids:
        os.kill(pid, 9)
    return len(pids)

status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
tell(
    uid=os.getuid(), gid=os.getgid(), groups=os.getgroups(),
    capabilities=status["CapEff"], bounds=status["CapBnd"], no_new_privileges=status["NoNewPrivs"],
    writable=list(writable_folders()),
    networks=os.listdir("/sys/class/net"),
    memory=limit("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"),
    cpu=limit("/sys/fs/cgroup/cpu.max", "/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "/sys/fs/cgroup/cpu/cpu.cfs_period_us"),
    forks=forks(),
    casa=open("/etc/casa").read(),
)
"""


def test_casa_can_write_to_its_attempt_only_and_reach_nothing_else(
    settings: ContainerSettings, jobs: Jobs, files: CasaFiles
) -> None:
    settings = settings.model_copy(update={"cores": 1.5})
    launcher = make_launcher(settings)
    assert launcher.start(jobs.script(LOOK), files, Needs(memory=300 * 2**20)).wait(ENOUGH) == 0, (
        files.printed.read_text()
    )
    found = json.loads(files.result.read_text())
    uid, gid = (int(number) for number in (AS_USER or f"{os.getuid()}:{os.getgid()}").split(":"))
    assert (found["uid"], found["gid"]) == (uid, gid)
    assert 0 not in found["groups"]
    assert (int(found["capabilities"], 16), int(found["bounds"], 16), found["no_new_privileges"]) == (0, 0, "1")
    assert found["networks"] == ["lo"]
    assert found["memory"] == [[str(300 * 2**20)]]
    quota, period = itertools.chain.from_iterable(found["cpu"])
    assert int(quota) == settings.cores * int(period)
    assert 0 < found["forks"] < 20
    assert found["casa"] == "6.7"
    outside = [folder for folder in found["writable"] if not folder.startswith(str(files.attempt.root))]
    assert outside in ([], ["/dev/shm", "/dev/mqueue"], ["/dev/mqueue", "/dev/shm"], ["/dev/shm"], ["/dev/mqueue"])
    assert str(files.attempt.working) in found["writable"]


def test_an_image_that_the_engine_lacks_is_named(settings: ContainerSettings, jobs: Jobs, files: CasaFiles) -> None:
    place = settings.casa.model_copy(update={"image": "alma-restore-test/missing:1"})
    launcher = make_launcher(settings.model_copy(update={"casa": place}))
    with pytest.raises(CasaAwayError, match="alma-restore-test/missing:1"):
        launcher.start(jobs.script(""), files)


def test_an_ended_container_is_removed(
    launcher: Launcher, docker_engine: DockerEngine, jobs: Jobs, files: CasaFiles
) -> None:
    assert launcher.start(jobs.script(""), files).wait(ENOUGH) == 0
    with docker_engine.client() as client:
        assert client.containers.list(all=True) == []


def test_a_container_that_somebody_removes_is_started_anew_later(
    launcher: Launcher, docker_engine: DockerEngine, jobs: Jobs, files: CasaFiles
) -> None:
    running = launcher.start(jobs.script(HANG), files)
    only_container(docker_engine).remove(force=True)
    with pytest.raises(CasaLostError, match="removed by somebody"):
        running.wait(ENOUGH)
    running.stop()


def test_casa_works_on_while_the_engine_is_upgraded(
    launcher: Launcher, docker_engine: DockerEngine, jobs: Jobs, files: CasaFiles
) -> None:
    go = files.attempt.working / "go"
    running = launcher.start(jobs.script("while not os.path.exists('go'): time.sleep(0.02)\nsys.exit(7)\n"), files)
    docker_engine.stop()
    try:
        assert not launcher.is_ready()
        assert running.wait(0.1) is None
        with jobs.attempt() as others, pytest.raises(CasaAwayError):
            launcher.start(jobs.script(""), others)
    finally:
        docker_engine.start()
    assert running.wait(0.1) is None
    go.touch()
    assert running.wait(ENOUGH) == 7


RUNNER = """
import pathlib, sys
from services.casa_runner.launchers.choice import make_launcher
from services.casa_runner.launchers.settings import ContainerSettings
from tests.support.casa_jobs import HANG, Jobs

jobs = Jobs(pathlib.Path(sys.argv[1]))
launcher = make_launcher(ContainerSettings.model_validate_json(sys.argv[2]))
with jobs.attempt() as files:
    running = launcher.start(jobs.script(HANG), files)
    print(files.attempt.root, file=sys.stderr, flush=True)
    running.wait(600)
"""


def test_the_container_of_a_killed_runner_is_removed_at_the_next_start_and_that_of_a_living_one_is_not(
    launcher: Launcher,
    settings: ContainerSettings,
    docker_engine: DockerEngine,
    jobs: Jobs,
    files: CasaFiles,
    tmp_path: Path,
) -> None:
    living = launcher.start(jobs.script(HANG), files)
    command = [sys.executable, "-c", RUNNER, str(tmp_path), settings.model_dump_json()]
    with subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True) as runner:
        assert runner.stderr is not None
        attempt = Path(runner.stderr.readline().strip())
        runner.kill()
    with docker_engine.client() as client:
        [orphan] = client.containers.list(filters={"label": f"{LABEL}.attempt={attempt.name}"})
        assert launcher.end_orphans(jobs.attempts) == frozenset()
        with pytest.raises(NotFound):
            orphan.reload()
    assert living.wait(0.2) is None
    living.stop()
    assert living.wait(0) == -signal.SIGKILL


def test_casa_never_runs_as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 0)
    with pytest.raises(MisconfiguredError, match="LAUNCHER__USER"):
        make_launcher(ContainerSettings())


def test_a_runner_that_cannot_give_files_away_is_misconfigured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    with pytest.raises(MisconfiguredError, match="4242"):
        make_launcher(ContainerSettings(user=USER))

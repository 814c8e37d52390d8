"""A restore on a cluster survives its runner: the next one takes it up, or ends it where nobody wants it."""

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import pytest

from contracts.envelope import Event
from contracts.messages import RequestCancelled, RestoreCompleted, RestoreOrdered
from services.casa_runner.errors import RestoreInterruptedError
from services.casa_runner.launchers.settings import CasaPlace, SlurmSettings
from services.casa_runner.service import CasaRunner, build
from services.casa_runner.settings import CasaRunnerSettings
from shared.cancellation import cancel
from shared.objects.directory import DirectoryStore
from shared.objects.lease import LeaseHeldError
from tests.support.casa_standin import BEGIN, END, order_tiny_restore
from tests.support.delivery import RecordingDelivery
from tests.support.slurm import ENOUGH, SlurmCluster

REPOSITORY = Path(__file__).parents[2]
STAND_IN = """
import sys
del sys.argv[1]
"""
WAIT_FOR_GO = """
folder = pathlib.Path(__file__).parent
with open(folder / "started", "a") as started:
    print(os.environ["CASASITECONFIG"], file=started)
while not (folder / "go").exists():
    time.sleep(0.05)
"""
RUNNER = """
import pathlib, sys
from contracts.envelope import Event
from services.casa_runner.service import build
from services.casa_runner.settings import CasaRunnerSettings
from shared.objects.directory import DirectoryStore
from tests.support.delivery import RecordingDelivery

folder = pathlib.Path(sys.argv[1])
runner = build(
    objects=DirectoryStore(folder / "store"), settings=CasaRunnerSettings.model_validate_json(sys.argv[2])
)
runner.handle(Event.decode((folder / "event.json").read_bytes()), RecordingDelivery())
"""


@dataclass
class Cluster:
    """A runner's settings for the cluster, an order, and what the stand-in for CASA did."""

    folder: Path
    settings: CasaRunnerSettings
    objects: DirectoryStore
    event: Event

    @property
    def starts(self) -> int:
        path = self.folder / "started"
        return len(path.read_text().splitlines()) if path.exists() else 0

    @property
    def attempts(self) -> list[Path]:
        return [path for path in (self.folder / "scratch" / "attempts").iterdir() if path.is_dir()]

    def runner(self) -> CasaRunner:
        return build(objects=self.objects, settings=self.settings)

    def wait_for(self, condition: Callable[[], bool]) -> None:
        until = time.monotonic() + ENOUGH
        while not condition():
            assert time.monotonic() < until
            time.sleep(0.05)


@pytest.fixture
def cluster(slurm_cluster: SlurmCluster, tmp_path: Path) -> Cluster:
    script = tmp_path / "stand_in.py"
    script.write_text(STAND_IN + BEGIN + WAIT_FOR_GO + END)
    launcher = SlurmSettings(
        configuration=slurm_cluster.configuration,
        memory="100MB",
        poll_interval=0.2,
        casa=CasaPlace(command=(sys.executable, str(script))),
    )
    settings = CasaRunnerSettings(scratch=tmp_path / "scratch", launcher=launcher, lease=1, progress_interval=0)
    objects = DirectoryStore(tmp_path / "store")
    event = order_tiny_restore(objects, tmp_path)
    (tmp_path / "event.json").write_bytes(event.encode())
    return Cluster(tmp_path, settings, objects, event)


@pytest.fixture
def killed(cluster: Cluster) -> Cluster:
    """A cluster whose runner was killed while its job worked."""
    command = [sys.executable, "-c", RUNNER, str(cluster.folder), cluster.settings.model_dump_json()]
    with subprocess.Popen(command, cwd=REPOSITORY) as runner:
        try:
            cluster.wait_for(lambda: cluster.starts > 0)
        finally:
            runner.kill()
    return cluster


def handled(runner: CasaRunner, event: Event, delivery: RecordingDelivery) -> list[Event]:
    """Handle an order as often as the bus would, until the dead runner's claim has run out."""
    until = time.monotonic() + ENOUGH
    while True:
        try:
            return runner.handle(event, delivery)
        except LeaseHeldError:
            assert time.monotonic() < until
            time.sleep(0.2)  # as the bus does between attempts


class Going(RecordingDelivery):
    """Lets the job end once the runner watches it."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__()
        self._cluster = cluster

    def publish(self, events: Sequence[Event]) -> None:
        super().publish(events)
        (self._cluster.folder / "go").touch()


def test_the_next_runner_takes_up_the_job_of_a_killed_one(killed: Cluster) -> None:
    runner = killed.runner()
    assert len(killed.attempts) == 1
    events = handled(runner, killed.event, Going(killed))
    assert isinstance(events[0].data, RestoreCompleted)
    assert killed.starts == 1
    assert killed.attempts == []


def test_a_job_that_was_done_while_no_runner_was_there_is_not_done_again(killed: Cluster) -> None:
    (killed.folder / "go").touch()
    [attempt] = killed.attempts
    killed.wait_for((attempt / "logs" / "result.json").exists)
    events = handled(killed.runner(), killed.event, RecordingDelivery())
    assert isinstance(events[0].data, RestoreCompleted)
    assert killed.starts == 1


def test_the_job_of_a_killed_runner_is_ended_if_its_request_is_cancelled_meanwhile(
    killed: Cluster, slurm_cluster: SlurmCluster
) -> None:
    order = killed.event.data
    assert isinstance(order, RestoreOrdered)
    request = order.request
    cancel(killed.objects, RequestCancelled(request_id=request.request_id, mous_uid=request.mous_uid, by="vera"))
    assert handled(killed.runner(), killed.event, RecordingDelivery()) == []
    assert killed.attempts == []
    assert slurm_cluster.ask("squeue", "--noheader", "--me") == ""


@pytest.fixture
def stopped(cluster: Cluster) -> Cluster:
    """A cluster whose runner was told to stop while its job worked."""
    runner, raised = cluster.runner(), []

    def work() -> None:
        try:
            runner.handle(cluster.event, RecordingDelivery())
        except RestoreInterruptedError as error:
            raised.append(error)

    thread = Thread(target=work)
    thread.start()
    cluster.wait_for(lambda: cluster.starts > 0)
    runner.close()
    thread.join(ENOUGH)
    assert [error.works_on for error in raised] == [True]
    return cluster


def test_a_runner_that_is_told_to_stop_leaves_its_job_to_the_next(stopped: Cluster) -> None:
    assert len(stopped.attempts) == 1
    events = handled(stopped.runner(), stopped.event, Going(stopped))
    assert isinstance(events[0].data, RestoreCompleted)
    assert stopped.starts == 1

"""Every way in which real CASA, or the runner, fails has its reason, and nothing partial is left.

Orders come in and outcomes go out over the bus, as `Site.said_of` has it.
"""

import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from casacore.tables import table as table_of

from contracts.envelope import Event
from contracts.messages import Message, RestoreCompleted, RestoreProgressed
from contracts.reasons import ReasonCode
from services.casa_runner.service import CasaRunner, build
from shared.objects.lease import LeaseHeldError
from tests.support.casa_fixtures import block, products, site
from tests.support.casa_site import EB, Site, repacked
from tests.support.delivery import RecordingDelivery

__all__ = ["block", "products", "site"]


def test_a_truncated_binary_is_noticed_although_casa_says_nothing(site: Site) -> None:
    asdm = site.folder / EB.file_form
    shutil.copytree(site.block.asdm, asdm)
    binary = max((asdm / "ASDMBinary").iterdir(), key=lambda path: path.stat().st_size)
    binary.write_bytes(binary.read_bytes()[: binary.stat().st_size // 2])
    failure = site.failed(site.order(asdm=asdm))
    assert failure.reason is ReasonCode.OUTPUT_INCOMPLETE
    assert failure.log is not None
    assert b"importasdm" in site.objects.read(failure.log)
    assert (Path(str(failure.working_directory).partition(":")[2]) / "working" / f"{EB.file_form}.ms").is_dir()


def test_a_missing_caltable_is_named_before_casa_starts(site: Site) -> None:
    gone = site.block.caltables[0].name
    failure = site.failed(site.order(products=repacked(site, lambda folder: shutil.rmtree(folder / gone))))
    assert failure.reason is ReasonCode.CALTABLE_DAMAGED
    assert gone in failure.detail
    assert site.launcher.started == []


def test_a_damaged_caltable_is_told_by_casa(site: Site) -> None:
    def cut(folder: Path) -> None:
        (folder / site.block.caltables[0].name / "table.dat").write_bytes(b"no table")

    failure = site.failed(site.order(products=repacked(site, cut)))
    assert failure.reason is ReasonCode.CALTABLE_DAMAGED
    assert "in step caltables" in failure.detail


def test_solutions_that_flag_all_are_the_references_to_judge(site: Site) -> None:
    def flag(folder: Path) -> None:
        (path,) = (folder / table.name for table in site.block.caltables if table.name.endswith("bcal.tbl"))
        with table_of(str(path), readonly=False, ack=False) as opened:
            opened.putcol("FLAG", np.ones_like(opened.getcol("FLAG")))

    restored = site.restored(site.order("J0321+1234", products=repacked(site, flag)))

    assert (restored.method, restored.method_reason) == ("reference", "all_flagged: J0321+1234")
    with table_of(str(site.unpacked(restored)), ack=False) as opened:
        assert opened.getcol("FLAG").all()


def test_another_version_than_the_only_one_allowed_is_refused_by_casa_itself(site: Site) -> None:
    site.settings = site.settings.model_copy(update={"version_policy": "same"})
    failure = site.failed(site.order(casa_version="6.6.6-17"))
    assert failure.reason is ReasonCode.CASA_VERSION_UNAVAILABLE
    assert "6.6.6-17" in failure.detail
    assert site.block.facts.casa_version in failure.detail


def test_a_killed_casa_is_a_crash(site: Site) -> None:
    def kill(message: Message) -> None:
        if isinstance(message, RestoreProgressed) and message.step == "importasdm":
            os.kill(site.launcher.started[0].pid, signal.SIGKILL)

    failure = site.failed(site.order(), kill)
    assert failure.reason is ReasonCode.CASA_CRASHED
    assert failure.detail == "CASA was ended by SIGKILL in step importasdm"


RUNNER = """
import pathlib, sys
from contracts.envelope import Event
from services.casa_runner.service import CasaRunner, build
from services.casa_runner.settings import CasaRunnerSettings
from shared.objects.directory import DirectoryStore
from tests.support.delivery import RecordingDelivery

class Telling(RecordingDelivery):
    def publish(self, events):
        print(getattr(events[-1].data, "step", "started"), flush=True)

folder = pathlib.Path(sys.argv[1])
settings = CasaRunnerSettings(scratch=folder / "scratch", progress_interval=0, lease=1)
runner = build(objects=DirectoryStore(folder / "store"), settings=settings)
runner.handle(Event.decode((folder / "event.json").read_bytes()), Telling())
"""


@pytest.fixture
def killed_runner(site: Site) -> Iterator[int]:
    """The CASA process of a runner that was killed while CASA worked."""
    (site.folder / "event.json").write_bytes(site.order().encode())
    command = [sys.executable, "-c", RUNNER, str(site.folder)]
    with subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True) as runner:
        assert runner.stdout is not None
        assert any(line.strip() == "importasdm" for line in runner.stdout)
        [casa] = [int(pid) for pid in Path(f"/proc/{runner.pid}/task/{runner.pid}/children").read_text().split()]
        casa_ended = os.pidfd_open(casa)
        runner.kill()
    yield casa_ended
    os.close(casa_ended)


def test_a_killed_runner_takes_casa_with_it_and_the_next_one_restores_from_scratch(
    site: Site, killed_runner: int
) -> None:
    assert select.select([killed_runner], [], [], 10)[0], "CASA outlived its runner"
    attempts = site.settings.scratch / "attempts"
    assert list(attempts.iterdir())
    next_one = build(objects=site.objects, settings=site.settings)
    assert not list(attempts.iterdir())
    [event] = restored_once_claimed(next_one, Event.decode((site.folder / "event.json").read_bytes()))[:1]
    assert isinstance(event.data, RestoreCompleted)
    assert event.data.block.rows == site.block.facts.rows


def restored_once_claimed(runner: CasaRunner, event: Event) -> list[Event]:
    """Handle an order as often as the bus would, until the dead runner's claim has run out."""
    until = time.monotonic() + 60
    while True:
        try:
            return runner.handle(event, RecordingDelivery())
        except LeaseHeldError:
            assert time.monotonic() < until
            time.sleep(0.2)  # as the bus does between attempts

"""Real CASA restores real execution blocks to the bit, and every way in which it fails has its reason."""

import os
import select
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from casacore.tables import table

from contracts.envelope import Event
from contracts.identifiers import ExecBlockUid, MousUid, SessionName
from contracts.messages import RestoreCompleted, RestoreFailed
from contracts.messages.parts import BlockFailure, RestoredBlock
from contracts.reasons import ReasonCode
from observatory.blocks import BlockSpec, MadeBlock, ensure_blocks
from observatory.products import MousProducts, write_products
from services.casa_runner.job import CasaFiles
from services.casa_runner.launcher import CasaProcess, ProcessLauncher
from services.casa_runner.service import CasaRunner, build
from services.casa_runner.settings import CasaRunnerSettings
from services.casa_runner.workspace import Workspace
from shared.objects.directory import DirectoryStore
from tests.support.casa_orders import order_restore
from tests.support.delivery import RecordingDelivery

pytestmark = pytest.mark.acceptance

MOUS = MousUid("uid://A001/X1284/X265f")
EB = ExecBlockUid("uid://A002/Xc7111c/X3979")
SESSION = SessionName("session_1")
CALIBRATORS = ("J0321+1234", "J0510+1800")
COMPARED = [
    "DATA",
    "FLAG",
    "WEIGHT",
    "SIGMA",
    "FLAG_ROW",
    "UVW",
    "TIME",
    "INTERVAL",
    "EXPOSURE",
    "ANTENNA1",
    "ANTENNA2",
    "DATA_DESC_ID",
    "SCAN_NUMBER",
    "STATE_ID",
]


class WatchedLauncher(ProcessLauncher):
    """Starts CASA and lets the test reach its process."""

    def __init__(self) -> None:
        super().__init__(python=Path(sys.executable))
        self.started: list[CasaProcess] = []

    def start(self, script: Path, files: CasaFiles) -> CasaProcess:
        self.started.append(super().start(script, files))
        return self.started[-1]


@dataclass
class Site:
    """A store, a runner and one execution block with its products."""

    folder: Path
    block: MadeBlock
    products: MousProducts
    launcher: WatchedLauncher = field(default_factory=WatchedLauncher)

    def __post_init__(self) -> None:
        self.objects = DirectoryStore(self.folder / "store")
        self.settings = CasaRunnerSettings(scratch=self.folder / "scratch", progress_interval=0)

    def order(
        self,
        *fields: str,
        asdm: Path | None = None,
        products: Sequence[Path] | None = None,
    ) -> Event:
        return order_restore(
            self.objects,
            mous_uid=MOUS,
            eb_uid=EB,
            asdm=asdm or self.block.asdm,
            products=products or self.products.files,
            fields=fields,
            casa_version=self.block.facts.casa_version,
        )

    def runner(self) -> CasaRunner:
        workspace = Workspace(scratch=self.settings.scratch, keep_failed=2)
        return CasaRunner(settings=self.settings, objects=self.objects, workspace=workspace, launcher=self.launcher)

    def restored(self, event: Event) -> RestoredBlock:
        message = self.runner().handle(event, RecordingDelivery())[0].data
        assert isinstance(message, RestoreCompleted), message
        return message.block

    def failed(self, event: Event, delivery: RecordingDelivery | None = None) -> BlockFailure:
        message = self.runner().handle(event, delivery or RecordingDelivery())[0].data
        assert isinstance(message, RestoreFailed), message
        assert not list(self.objects.list("products/"))
        return message.failure

    def unpacked(self, block: RestoredBlock) -> Path:
        """Unpack a delivered tar by the system's own tar."""
        archive = self.folder / "x.tar"
        archive.write_bytes(self.objects.read(block.tar))
        into = self.folder / "unpacked"
        into.mkdir(exist_ok=True)
        subprocess.run(["tar", "-xf", archive, "-C", into], check=True)
        return into / block.file_name.removesuffix(".tar")


@pytest.fixture(scope="module")
def block(observatory_cache: Path) -> MadeBlock:
    return ensure_blocks([BlockSpec(eb_uid=EB, mous_uid=MOUS, session=SESSION)], cache=observatory_cache)[0]


@pytest.fixture(scope="module")
def products(block: MadeBlock, tmp_path_factory: pytest.TempPathFactory) -> MousProducts:
    return write_products(MOUS, {SESSION: [EB]}, [block], into=tmp_path_factory.mktemp("products"))


@pytest.fixture
def site(tmp_path: Path, block: MadeBlock, products: MousProducts) -> Site:
    return Site(tmp_path, block, products)


@pytest.fixture(scope="module")
def delivered(
    tmp_path_factory: pytest.TempPathFactory, block: MadeBlock, products: MousProducts
) -> tuple[RestoredBlock, Path]:
    """The whole block, restored and unpacked."""
    site = Site(tmp_path_factory.mktemp("site"), block, products)
    restored = site.restored(site.order())
    return restored, site.unpacked(restored)


def rows_of(ms: Path, fields: Sequence[str] | None = None) -> dict[str, np.ndarray]:
    """Read the compared columns, and names instead of numbers of fields."""
    with table(f"{ms}/FIELD", ack=False) as subtable:
        names = np.array(subtable.getcol("NAME"))
    with table(str(ms), ack=False) as opened:
        columns = {name: opened.getcol(name) for name in COMPARED}
        columns["FIELD"] = names[opened.getcol("FIELD_ID")]
    chosen = np.isin(columns["FIELD"], fields if fields is not None else names)
    return {name: values[chosen] for name, values in columns.items()}


def test_the_delivered_data_equal_the_original_calibration_to_the_bit(
    delivered: tuple[RestoredBlock, Path], block: MadeBlock
) -> None:
    restored, ms = delivered
    found, truth = rows_of(ms), rows_of(block.truth)
    assert restored.rows == len(truth["TIME"]) == block.facts.rows
    assert restored.fields == block.facts.fields
    for name, values in truth.items():
        assert np.array_equal(found[name], values), name


def test_the_raw_data_differ_from_the_truth(block: MadeBlock, site: Site) -> None:
    script = site.folder / "raw.py"
    script.write_text(
        "import json, sys\nfrom casatasks import importasdm, split\njob = json.load(open(sys.argv[1]))\n"
        "importasdm(asdm=job['asdm'], vis='raw.ms', bdfflags=True)\n"
        "split(vis='raw.ms', outputvis=job['output'], datacolumn='data', keepflags=True)\n"
    )
    with Workspace(scratch=site.settings.scratch, keep_failed=0).attempt("raw") as attempt:
        files = CasaFiles(attempt, EB)
        files.write(calls=(), selected=(), rows_by_field={})
        (attempt.working / EB.file_form).symlink_to(block.asdm)
        assert site.launcher.start(script, files).wait(120) == 0
        raw, truth = rows_of(files.output), rows_of(block.truth)
    assert np.array_equal(raw["UVW"], truth["UVW"])
    for name in ("DATA", "FLAG", "WEIGHT"):
        assert not np.array_equal(raw[name], truth[name]), name


def test_calibrators_alone_are_delivered_as_they_are_in_the_truth(site: Site) -> None:
    event = site.order(*CALIBRATORS)
    restored = site.restored(event)
    assert sorted(restored.fields) == sorted(CALIBRATORS)
    found, truth = rows_of(site.unpacked(restored)), rows_of(site.block.truth, CALIBRATORS)
    assert restored.rows == len(truth["TIME"])
    for name, values in truth.items():
        # States are numbered anew when some are left out.
        assert name == "STATE_ID" or np.array_equal(found[name], values), name
    assert site.restored(site.order(*CALIBRATORS)).reused
    assert len(site.launcher.started) == 1


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


def repacked(site: Site, change: Callable[[Path], None]) -> list[Path]:
    """Pack the caltables anew after a change; return all products with that archive in its place."""
    original = site.products.caltables[SESSION]
    folder = site.folder / "caltables"
    with tarfile.open(original) as tar:
        tar.extractall(folder, filter="data")
    change(folder)
    archive = site.folder / original.name
    with tarfile.open(archive, "w:gz") as tar:
        for path in sorted(folder.iterdir()):
            tar.add(path, path.name)
    return [archive if path == original else path for path in site.products.files]


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
    assert "in step applycal" in failure.detail


class AtStep(RecordingDelivery):
    """Does something when CASA has come to a step."""

    def __init__(self, step: str, action: Callable[[], None]) -> None:
        super().__init__()
        self._step = step
        self._action = action

    def publish(self, events: Sequence[Event]) -> None:
        super().publish(events)
        if getattr(events[-1].data, "step", "") == self._step:
            self._action()


def test_a_killed_casa_is_a_crash(site: Site) -> None:
    delivery = AtStep("importasdm", lambda: os.kill(site.launcher.started[0].pid, signal.SIGKILL))
    failure = site.failed(site.order(), delivery)
    assert failure.reason is ReasonCode.CASA_CRASHED
    assert failure.detail == "CASA was ended by SIGKILL in step importasdm"


RUNNER = """
import pathlib, sys
from contracts.envelope import Event
from services.casa_runner.service import build
from services.casa_runner.settings import CasaRunnerSettings
from shared.objects.directory import DirectoryStore
from tests.support.delivery import RecordingDelivery

class Telling(RecordingDelivery):
    def publish(self, events):
        print(getattr(events[-1].data, "step", "started"), flush=True)

folder = pathlib.Path(sys.argv[1])
settings = CasaRunnerSettings(scratch=folder / "scratch", progress_interval=0)
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
    build(objects=site.objects, settings=site.settings)
    assert not list(attempts.iterdir())
    assert site.restored(Event.decode((site.folder / "event.json").read_bytes())).rows == site.block.facts.rows

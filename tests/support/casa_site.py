"""One synthetic execution block, its products, a store, and a runner with real CASA."""

import subprocess
import sys
import tarfile
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from queue import Queue

from prometheus_client import CollectorRegistry

from contracts.envelope import Event
from contracts.flow import QUEUES
from contracts.identifiers import ExecBlockUid, MousUid, SessionName
from contracts.messages import Message, RequestWaiting, RestoreCompleted, RestoreFailed
from contracts.messages.parts import BlockFailure, CalibrationKind, CasaChoice, RestoredBlock, Selection
from observatory.blocks import MadeBlock
from observatory.products import MousProducts
from services.casa_runner.job import CasaFiles
from services.casa_runner.launcher import NO_NEEDS, Needs
from services.casa_runner.launchers.process import CasaProcess, ProcessLauncher
from services.casa_runner.service import CasaRunner
from services.casa_runner.settings import CasaRunnerSettings
from services.casa_runner.workspace import Workspace
from shared import tars
from shared.bus.memory import MemoryBus
from shared.metrics import ServiceMetrics
from shared.objects.directory import DirectoryStore
from shared.pipeline_files.ppr import Kind
from shared.runtime import Runtime
from tests.support.casa_orders import order_restore

MOUS = MousUid("uid://A001/X1284/X265f")
EB = ExecBlockUid("uid://A002/Xc7111c/X3979")
SESSION = SessionName("session_1")
_PATIENCE = 200.0


class WatchedLauncher(ProcessLauncher):
    """Starts CASA and lets the test reach its process, and its files just before."""

    def __init__(self) -> None:
        super().__init__(command=[sys.executable])
        self.started: list[CasaProcess] = []
        self.spoil: Callable[[CasaFiles], object] = lambda _: None
        self.idle_cores: int | None = None

    def cores(self) -> int:
        return super().cores() if self.idle_cores is None else self.idle_cores

    def start(self, script: Path, files: CasaFiles, needs: Needs = NO_NEEDS) -> CasaProcess:
        self.spoil(files)
        self.started.append(super().start(script, files, needs))
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
        casa_version: str | None = None,
        selection: Selection | None = None,
        restore_key: str | None = None,
        kind: Kind = Kind.RESTORE,
        casa: CasaChoice | None = None,
        calibration: CalibrationKind | None = None,
    ) -> Event:
        return order_restore(
            self.objects,
            mous_uid=MOUS,
            eb_uid=EB,
            asdm=asdm or self.block.asdm,
            products=products or self.products.files,
            fields=fields,
            casa_version=casa_version or self.block.facts.casa_version,
            selection=selection,
            restore_key=restore_key,
            kind=kind,
            casa=casa,
            calibration=calibration,
        )

    def runner(self) -> CasaRunner:
        workspace = Workspace(scratch=self.settings.scratch, failed_quota=self.settings.failed_quota)
        return CasaRunner(settings=self.settings, objects=self.objects, workspace=workspace, launcher=self.launcher)

    def said_of(self, order: Event, heed: Callable[[Message], object] = lambda _: None) -> list[Message]:
        """Publish an order on a bus on which the service listens; give all that is said to the block's outcome.

        Parameters
        ----------
        heed
            Is shown each message as it is heard.
        """
        heard, said = Queue[Event](), list[Message]()
        with closing(MemoryBus()) as bus:
            bus.declare(QUEUES)
            bus.listen(heard.put)
            Runtime(bus=bus, metrics=ServiceMetrics(CollectorRegistry())).add(self.runner())
            bus.publish([order])
            assert heard.get(timeout=_PATIENCE) == order
            while not said or not isinstance(said[-1], RestoreCompleted | RestoreFailed):
                said.append(heard.get(timeout=_PATIENCE).data)
                assert not isinstance(said[-1], RequestWaiting), said[-1]
                heed(said[-1])
            bus.drain(_PATIENCE)
        return said

    def restored(self, order: Event) -> RestoredBlock:
        message = self.said_of(order)[-1]
        assert isinstance(message, RestoreCompleted), message
        return message.block

    def failed(self, order: Event, heed: Callable[[Message], object] = lambda _: None) -> BlockFailure:
        message = self.said_of(order, heed)[-1]
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


def repacked(site: Site, change: Callable[[Path], None]) -> list[Path]:
    """Pack the caltables anew after a change; return all products with that archive in its place."""
    original = site.products.caltables[SESSION]
    folder = site.folder / "caltables"
    with tarfile.open(original) as tar:
        tars.extract(tar, folder)
    change(folder)
    archive = site.folder / original.name
    with tarfile.open(archive, "w:gz") as tar:
        for path in sorted(folder.iterdir()):
            tar.add(path, path.name)
    return [archive if path == original else path for path in site.products.files]

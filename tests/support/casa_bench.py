"""A runner with a stand-in for CASA, and what its tests ask of the events that come out."""

from pathlib import Path

from contracts.envelope import Event
from contracts.messages import RequestFailed, RestoreCompleted, RestoreFailed
from contracts.messages.parts import BlockFailure, RestoredBlock
from services.casa_runner.service import CasaRunner
from services.casa_runner.settings import CasaRunnerSettings
from services.casa_runner.workspace import Workspace
from shared.objects.directory import DirectoryStore
from tests.support.casa_standin import StandInLauncher, order_tiny_restore

HANG = "time.sleep(15)\n"
"""Longer than any test waits, and no longer: where nobody ends it, it comes to a result, and its test fails."""

LARGE = "(__import__('resource').getrlimit(__import__('resource').RLIMIT_DATA)[0] > 2**30)"
"""Whether the stand-in may take more than 1 GiB: more than a first limit of so much."""


class Bench:
    """A runner with a stand-in for CASA."""

    def __init__(self, folder: Path, objects: DirectoryStore) -> None:
        self.folder = folder
        self.objects = objects
        self.launcher = StandInLauncher(folder)

    def runner(self, behaviour: str = "", **settings: object) -> CasaRunner:
        self.launcher = StandInLauncher(self.folder, behaviour)
        made = CasaRunnerSettings(scratch=self.folder / "scratch", progress_interval=0, **settings)  # type: ignore[arg-type]  # a table of keywords
        workspace = Workspace(scratch=made.scratch, failed_quota=made.failed_quota)
        return CasaRunner(settings=made, objects=self.objects, workspace=workspace, launcher=self.launcher)

    def order(self, *fields: str, **changes: object) -> Event:
        return order_tiny_restore(self.objects, self.folder, **({"fields": fields} | changes))

    @property
    def left(self) -> list[Path]:
        """What is left of attempts."""
        return list((self.folder / "scratch" / "attempts").iterdir())


def restored(events: list[Event]) -> RestoredBlock:
    first = events[0].data
    assert isinstance(first, RestoreCompleted)
    return first.block


def failed(events: list[Event]) -> BlockFailure:
    first, last = events[0].data, events[-1].data
    assert isinstance(first, RestoreFailed)
    assert isinstance(last, RequestFailed)
    return first.failure

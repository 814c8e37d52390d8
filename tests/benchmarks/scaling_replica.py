"""One replica of the casa-runner for `bench_scaling`; says ``ready`` when it takes orders."""

import json
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event as Flag

from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from contracts.flow import QUEUES
from services.casa_runner.job import CasaFiles
from services.casa_runner.launcher import NO_NEEDS, Launcher, Needs, nobody
from services.casa_runner.launchers.process import ProcessLauncher
from services.casa_runner.service import CasaRunner
from services.casa_runner.settings import CasaRunnerSettings
from services.casa_runner.verify import COLUMNS, SUBTABLES
from services.casa_runner.workspace import Workspace
from shared.bus.rabbitmq import RabbitBus
from shared.bus.retry import RetryPolicy
from shared.bus.settings import RabbitSettings
from shared.logs import configure_logs
from shared.metrics import ServiceMetrics
from shared.objects.directory import DirectoryStore
from shared.runtime import Runtime

SECONDS = 2.0


class Waiting:
    """A CASA that takes 2 seconds and then leaves what a restore leaves."""

    def __init__(self, files: CasaFiles) -> None:
        self._files = files
        self._ends = time.monotonic() + SECONDS

    def wait(self, timeout: float) -> int | None:
        """Wait; see `RunningCasa.wait`."""
        left = self._ends - time.monotonic()
        if left > timeout:
            time.sleep(timeout)
            return None
        time.sleep(max(0.0, left))
        self._leave()
        return 0

    def is_queued(self) -> bool:
        """It works at once."""
        return False

    def leave(self) -> bool:
        """It ends with its replica."""
        return False

    def stop(self) -> None:
        """Nothing runs."""

    def _leave(self) -> None:
        job = json.loads(self._files.job.read_text())
        for folder in (self._files.output, self._files.output / "FIELD"):
            folder.mkdir()
            for name in ("table.dat", "table.info", "table.lock"):
                (folder / name).write_bytes(b"x")
        rows = job["rows_by_field"]
        output = {
            "rows": sum(rows.values()),
            "columns": sorted(COLUMNS),
            "subtables": sorted(SUBTABLES),
            "rows_by_field": rows,
        }
        result = {"step": "verify", "method": "reference", "casa_version": "6.7.0-31", "output": output}
        self._files.result.write_text(json.dumps(result | {"imported_rows_by_field": rows}))


class WaitingLauncher:
    """Starts `Waiting`."""

    def start(self, script: Path, files: CasaFiles, needs: Needs = NO_NEEDS) -> Waiting:
        """Start one; see `Launcher.start`."""
        return Waiting(files)

    def take_up(self, files: CasaFiles) -> None:
        """Nothing outlives a replica."""
        return

    def end_orphans(self, attempts: Path, *, spare: Callable[[Path], bool] = nobody) -> frozenset[Path]:
        """Nothing is left of a dead runner's."""
        return frozenset()

    def cores(self) -> int:
        """One."""
        return 1

    def is_ready(self) -> bool:
        """Whether it can start."""
        return True


def main(url: str, prefix: str, folder: Path, kind: str) -> None:
    """Run until SIGTERM."""
    configure_logs(form="json", level="INFO")
    stopping = Flag()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    settings = CasaRunnerSettings(scratch=folder / "scratch")
    launcher: Launcher = WaitingLauncher() if kind == "standin" else ProcessLauncher(command=[sys.executable])
    runner = CasaRunner(
        settings=settings,
        objects=DirectoryStore(folder / "store"),
        workspace=Workspace(scratch=settings.scratch, failed_quota=0),
        launcher=launcher,
    )
    bus = RabbitBus(
        settings=RabbitSettings(url=SecretStr(url), prefix=prefix, broker_consumer_timeout=10_000_000),
        retry=RetryPolicy(),
    )
    bus.declare(QUEUES)
    Runtime(bus=bus, metrics=ServiceMetrics(CollectorRegistry())).add(runner)
    print("ready", flush=True)
    stopping.wait()
    bus.drain(10)
    bus.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), sys.argv[4])

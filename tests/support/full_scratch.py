"""A casa-runner, whole, on a scratch disk that gets more room as soon as its request waits for it.

``python -m tests.support.full_scratch FOLDER SETTINGS``

The folder holds the order, the store and the disk, a small file system in memory; settings are JSON.
"""

import json
import subprocess
import sys
from pathlib import Path
from queue import Queue

from prometheus_client import CollectorRegistry

from contracts.envelope import Event
from contracts.flow import QUEUES
from contracts.messages import RequestWaiting, RestoreCompleted, RestoreFailed, RestoreProgressed
from services.casa_runner.service import build
from services.casa_runner.settings import CasaRunnerSettings
from shared.bus.memory import MemoryBus
from shared.bus.retry import RetryPolicy
from shared.metrics import ServiceMetrics
from shared.objects.directory import DirectoryStore
from shared.runtime import Runtime

_ENOUGH = "200m"
_PATIENCE = 120.0


def main(folder: Path, **settings: object) -> None:
    """Restore, give room when it is asked for, and print what happened, a JSON object a line."""
    disk, objects = folder / "disk", DirectoryStore(folder / "store")
    made = CasaRunnerSettings(scratch=disk, progress_interval=0, disk_reserve=1_000_000, **settings)  # type: ignore[arg-type]  # a table of keywords
    bus, said = MemoryBus(retry=RetryPolicy(delays=(0.5,))), Queue[Event]()
    bus.declare(QUEUES)
    bus.listen(said.put)
    runner = build(objects=objects, settings=made)
    Runtime(bus=bus, metrics=ServiceMetrics(CollectorRegistry())).add(runner)
    bus.publish([Event.decode((folder / "event.json").read_bytes())])
    while True:
        match said.get(timeout=_PATIENCE).data:
            case RestoreProgressed(step=step):
                _tell(step=step)
            case RequestWaiting(cause=cause):
                _tell(
                    waits=cause, outcomes=[info.key for top in ("products/", "requests/") for info in objects.list(top)]
                )
                subprocess.run(["mount", "-o", f"remount,size={_ENOUGH}", disk], check=True)
            case RestoreCompleted() | RestoreFailed() as ended:
                _tell(**{ended.topic: ended.model_dump(mode="json", include={"block", "failure"})})
                break
    bus.drain(10)
    bus.close()
    runner.close()
    _tell(left=[path.name for path in (disk / "attempts").iterdir()])


def _tell(**word: object) -> None:
    print(json.dumps(word), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), **json.loads(sys.argv[2]))

"""A process that a test stops in its tracks answers nobody any more, whichever of its threads is on its way."""

import subprocess
import sys
from pathlib import Path

from tests.support.standing_still import standing_still

BUSY = """
import hashlib, threading
for _ in range(16):
    threading.Thread(target=lambda: [hashlib.sha256(bytes(1 << 20)) for _ in iter(int, 1)], daemon=True).start()
print("busy", flush=True)
threading.Event().wait()
"""


def test_every_thread_of_a_process_stands_before_the_test_goes_on_and_runs_again_after() -> None:
    with subprocess.Popen([sys.executable, "-c", BUSY], stdout=subprocess.PIPE) as busy:
        try:
            assert busy.stdout is not None
            busy.stdout.readline()
            for _ in range(20):
                with standing_still([busy.pid]):
                    assert set(states_of(busy.pid)) == {"T"}
                assert set(states_of(busy.pid)) != {"T"}
        finally:
            busy.kill()


def states_of(pid: int) -> list[str]:
    return [stat.read_text().rpartition(")")[2].split()[0] for stat in sorted(Path(f"/proc/{pid}/task").glob("*/stat"))]

"""Watches over a running CASA: tells its progress, and ends it when it is not wanted any more."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

from contracts.reasons import ReasonCode
from services.casa_runner.errors import RestoreInterruptedError
from services.casa_runner.launcher import RunningCasa
from shared.errors import BlockFailedError

_POLL_SECONDS = 0.1


def watch(
    running: RunningCasa,
    *,
    progress: Path,
    on_progress: Callable[[str, float], None],
    interrupted: Callable[[], str | None],
    time_limit: float,
) -> int:
    """Wait for CASA to end and return its exit status.

    However this function is left, CASA works no more.

    Parameters
    ----------
    progress
        File that CASA writes its steps to.
    on_progress
        Told each step with its percentage.
    interrupted
        Says why CASA is to be ended, None while it may go on.
    time_limit
        Seconds after which it is ended.

    Raises
    ------
    RestoreInterruptedError
        If it was ended because of what ``interrupted`` said.
    BlockFailedError
        If it took too long (``casa_failed``).
    """
    deadline = time.monotonic() + time_limit
    try:
        with progress.open() as stream:
            while (status := running.wait(_POLL_SECONDS)) is None:
                for step, percent in _new_steps(stream):
                    on_progress(step, percent)
                if cause := interrupted():
                    raise RestoreInterruptedError(f"CASA was ended: {cause}")
                if time.monotonic() > deadline:
                    raise BlockFailedError(ReasonCode.CASA_FAILED, f"CASA did not end within {time_limit:.0f} seconds")
            return status
    finally:
        running.stop()


def _new_steps(stream: TextIO) -> Iterator[tuple[str, float]]:
    """Yield what was written since the last look; a line that is not whole yet waits."""
    while True:
        start = stream.tell()
        line = stream.readline()
        if not line.endswith("\n"):
            stream.seek(start)
            return
        word = json.loads(line)
        yield str(word["step"]), float(word["percent"])

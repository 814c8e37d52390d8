"""Watches over a running CASA: tells its progress, and ends it when it hangs or is not wanted any more."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from contracts.reasons import ReasonCode
from services.casa_runner.errors import RestoreInterruptedError
from services.casa_runner.interruption import Interruption
from services.casa_runner.launcher import RunningCasa
from services.casa_runner.steps import Steps
from services.casa_runner.workspace import folder_size
from shared.errors import BlockFailedError, RestoreError

_POLL_SECONDS = 0.5
"""Between two looks at what CASA says and whether it is wanted; its end is seen at once. A look costs 0.4 ms of CPU."""
_LOOK_SECONDS = 1.0
# Steps that write the delivered MeasurementSet, whose growth is their progress, and how much is behind them.
_WRITING = {"split": 92.0, "mstransform": 85.0}
_IMPORTED = 40.0


@dataclass(frozen=True, kw_only=True)
class Signs:
    """Where CASA's life shows.

    Attributes
    ----------
    progress
        File that CASA writes its steps to.
    logs
        Files that grow while it works.
    working
        Its working directory: what grows there is a sign too.
    application_log
        The one of the logs that a whole application writes, if there is one.
    imported
        The MeasurementSet that it imports.
    expected_import
        Bytes that this is expected to have, roughly.
    output
        The MeasurementSet that it makes.
    expected_output
        Bytes that this is expected to have; None if nobody knows.
    """

    progress: Path
    logs: Sequence[Path]
    working: Path
    application_log: Path
    imported: Path
    expected_import: int
    output: Path
    expected_output: int | None = None


def watch(
    running: RunningCasa,
    signs: Signs,
    *,
    on_progress: Callable[[str, float, int], None],
    interruption: Interruption,
    time_limit: float,
    hang_limit: float,
) -> int:
    """Wait for CASA to end and return its exit status.

    However this function is left, CASA works no more, unless it is left to the next runner. While CASA waits for
    a place to work, it need not give a sign of life; if the time is over then, or because of it, CASA is left to the
    next who gets the order, and has its time anew.

    Parameters
    ----------
    on_progress
        Told each step with its percentage and the bytes in the working directory, and again while these change.
    interruption
        Says why CASA is to be ended.
    time_limit
        Seconds after which it is ended, or left if it had to wait for its place.
    hang_limit
        Seconds without any sign of life after which it is ended.

    Raises
    ------
    RestoreInterruptedError
        If it was ended because of the interruption, or left.
    BlockFailedError
        If it took too long or hung (``casa_hung``).
    """
    clocks = _Clocks(signs, time_limit=time_limit, hang_limit=hang_limit)
    steps = Steps(signs.progress, application_log=signs.application_log)
    step, begun_at, percent, left = "starting", 0.0, 0.0, False
    poll = min(_POLL_SECONDS, hang_limit / 4)
    try:
        while (status := running.wait(poll)) is None:
            for step, begun_at in steps.new():
                percent = begun_at
                on_progress(step, percent, clocks.written)
            if interruption.cause() is not None:
                left = interruption.is_wanted_later and running.leave()
                interruption.check(works_on=left)
            if clocks.are_over():
                left = clocks.waited_for_place and running.leave()
                raise clocks.over(left=left)
            if running.is_queued():
                clocks.wait_for_place()
                if step != "queued":
                    step, percent = "queued", 0.0
                    on_progress(step, percent, clocks.written)
            elif clocks.saw_growth(step):
                percent = max(percent, _grown(step, begun_at, signs))
                on_progress(step, percent, clocks.written)
        return status
    finally:
        if not left:
            running.stop()


def _grown(step: str, begun_at: float, signs: Signs) -> float:
    """Tell how far a step is by the MeasurementSet that it writes; where it began if it writes none."""
    if step == "importasdm":
        written, expected, end = signs.imported, signs.expected_import, _IMPORTED
    elif step in _WRITING and signs.expected_output:
        written, expected, end = signs.output, signs.expected_output, _WRITING[step]
    else:
        return begun_at
    return round(begun_at + (end - begun_at) * min(1.0, folder_size(written) / max(1, expected)), 1)


class _Clocks:
    """Know how long CASA works, and how long it has given no sign of life."""

    def __init__(self, signs: Signs, *, time_limit: float, hang_limit: float) -> None:
        self._signs = signs
        self._time_limit = time_limit
        self._hang_limit = hang_limit
        self._begun = self._alive = self._looked = time.monotonic()
        self._last: tuple[int, ...] = ()
        self.waited_for_place = False
        self.written = 0

    def wait_for_place(self) -> None:
        """Expect no sign of life until now."""
        self._alive, self.waited_for_place = time.monotonic(), True

    def are_over(self) -> bool:
        """Whether there is no time left."""
        return time.monotonic() - self._begun > self._time_limit

    def over(self, *, left: bool) -> RestoreError:
        """Say that there was no time left for CASA, or that it goes on for whoever gets the order next."""
        if left:
            return RestoreInterruptedError(
                f"the restore was left to work on: it waited for its place, and {self._time_limit:.0f} seconds are "
                "over; whoever gets its order next takes it up",
                works_on=True,
            )
        return BlockFailedError(
            ReasonCode.CASA_HUNG, f"CASA did not end in the {self._time_limit:.0f} seconds that were left for it"
        )

    def saw_growth(self, step: str) -> bool:
        """Look for signs of life where it is time to; tell whether the working directory has other bytes than before.

        Raises
        ------
        BlockFailedError
            If CASA gave none for too long (``casa_hung``).
        """
        now = time.monotonic()
        if now - self._looked < min(_LOOK_SECONDS, self._hang_limit / 4):
            return False
        self._looked, before = now, self.written
        self.written, *_ = found = _life(self._signs)
        if found != self._last:
            self._alive, self._last = now, found
        if now - self._alive > self._hang_limit:
            raise BlockFailedError(
                ReasonCode.CASA_HUNG, f"CASA gave no sign of life for {self._hang_limit:.0f} seconds in step {step}"
            )
        return self.written != before


def _life(signs: Signs) -> tuple[int, ...]:
    logs = (*signs.logs, signs.progress)
    return (folder_size(signs.working), *(path.stat().st_size if path.exists() else 0 for path in logs))

"""Says what a runner does: that a restore began, and how far it is."""

import os
import socket
import time
from datetime import UTC, datetime, timedelta

from contracts.envelope import Event
from contracts.messages import RestoreOrdered, RestoreProgressed, RestoreStarted
from services.casa_runner.aside import Aside
from shared import tracing


def runner_name() -> str:
    """Name this runner for people: ``host:process``."""
    return f"{socket.gethostname()}:{os.getpid()}"


class Voice:
    """Says the start and the steps of one restore, steps at most once per interval.

    Parameters
    ----------
    attempt
        How often the order has been given to runners.
    aside
        Where it says it.
    interval
        Seconds between two words of progress, at least.
    source
        Who says it.
    """

    def __init__(
        self, event: Event, order: RestoreOrdered, *, attempt: int, aside: Aside, interval: float, source: str
    ) -> None:
        self._event = event
        self._order = order
        self._attempt = attempt
        self._aside = aside
        self._interval = interval
        self._source = source
        self._said_at = -interval
        self._begun_at = time.monotonic()
        self._expected: float | None = None

    def started(self, *, way: str | None = None, why: str | None = None) -> None:
        """Say that the restore begins, in which way and why in that one."""
        self._say(
            RestoreStarted(**self._whose(), runner=runner_name(), attempt=self._attempt, way=way, why=why),
            "started",
        )
        self._said_at = time.monotonic()

    def expects(self, seconds: float | None) -> None:
        """Remember how long the restore is expected to take from now, if anybody knows."""
        self._begun_at = time.monotonic()
        self._expected = seconds

    def progressed(self, step: str, percent: float, written: int | None = None) -> None:
        """Say how far it is and how many bytes are written, unless that was said just now."""
        now = time.monotonic()
        if now - self._said_at < self._interval:
            return
        self._said_at = now
        tracing.noted("progressed", {"alma_restore.step": step, "alma_restore.percent": percent})
        end = None
        if self._expected is not None:
            left = max(0.0, self._expected - (now - self._begun_at))
            end = datetime.now(UTC) + timedelta(seconds=left)
        message = RestoreProgressed(
            **self._whose(), step=step, percent=percent, bytes_written=written, expected_end=end
        )
        self._say(message, f"{step}/{percent}/{now}")

    def _whose(self) -> dict[str, object]:
        request = self._order.request
        return {"request_id": request.request_id, "mous_uid": request.mous_uid, "eb_uid": self._order.eb_uid}

    def _say(self, message: RestoreStarted | RestoreProgressed, what: str) -> None:
        key = f"{self._order.eb_uid}/{self._attempt}/{what}"
        self._aside.say(self._event.derive(message, source=self._source, key=key))

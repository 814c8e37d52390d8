"""Why a restore is to end before it is done."""

from threading import Event as Flag

from services.casa_runner.errors import RestoreInterruptedError
from services.casa_runner.launcher import RunningCasa

_POLL_SECONDS = 0.5


class Interruption:
    """Says whether a restore may go on.

    Parameters
    ----------
    cancelled
        Set when nobody wants the result any more.
    lost
        Set when the broker took the order back.
    lease_lost
        Set when another runner took the restore key over.
    stopping
        Set when the runner stops.
    """

    def __init__(self, *, cancelled: Flag, lost: Flag, lease_lost: Flag, stopping: Flag) -> None:
        self._causes = (
            (cancelled, "the request is cancelled"),
            (lost, "the broker took the order back and gives it to another runner"),
            (lease_lost, "another runner has taken over this restore"),
            (stopping, "the runner stops"),
        )

    def cause(self) -> str | None:
        """Say why the restore is to end; None while it may go on."""
        return next((why for flag, why in self._causes if flag.is_set()), None)

    @property
    def is_wanted_later(self) -> bool:
        """Whether the order comes again, and nobody has begun with it yet."""
        (cancelled, _), (_, _), (lease_lost, _), _ = self._causes
        return self.cause() is not None and not cancelled.is_set() and not lease_lost.is_set()

    def check(self, *, works_on: bool = False) -> None:
        """Raise `RestoreInterruptedError` if the restore is to end here; CASA is left to work on if so told."""
        if cause := self.cause():
            done = "left to the next runner" if works_on else "ended"
            raise RestoreInterruptedError(f"the restore was {done}: {cause}", works_on=works_on)

    def leave_or_end(self, running: RunningCasa) -> None:
        """Raise `RestoreInterruptedError` if the restore is to end here; the next runner gets it where it can."""
        self.check(works_on=self.is_wanted_later and running.leave())

    def wait(self, seconds: float) -> None:
        """Wait so long, less if the restore is to end."""
        stopping = self._causes[-1][0]
        while seconds > 0 and self.cause() is None:
            stopping.wait(min(seconds, _POLL_SECONDS))
            seconds -= _POLL_SECONDS

"""What a restore works on, whom it tells and asks while it works, and what it comes to."""

from collections.abc import Callable
from dataclasses import dataclass

from contracts.messages import RestoreOrdered
from contracts.messages.parts import BlockFailure, RestoredBlock
from services.casa_runner.asdm import AsdmPromise
from services.casa_runner.interruption import Interruption
from services.casa_runner.observed import Observed
from services.casa_runner.selection import Chosen
from services.casa_runner.staging import Inputs
from services.casa_runner.voice import Voice
from services.casa_runner.ways import Way


@dataclass(frozen=True, kw_only=True)
class Task:
    """One order with what is known of it, and who is to be told and asked while it is worked on.

    Attributes
    ----------
    until
        When it has to have ended, however often it is tried, by the monotonic clock; only storing comes after.
    """

    order: RestoreOrdered
    inputs: Inputs
    promise: AsdmPromise
    observed: Observed
    chosen: Chosen
    way: Way
    voice: Voice
    interruption: Interruption
    check: Callable[[], None]
    until: float


@dataclass(frozen=True, kw_only=True)
class Ended:
    """What became of a restore.

    Attributes
    ----------
    outcome
        The restored block, or why there is none.
    method, casa_version
        In which way and by which CASA, as far as it is known of a failure.
    """

    outcome: RestoredBlock | BlockFailure
    method: str | None = None
    casa_version: str | None = None

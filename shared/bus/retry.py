"""Decide what becomes of an event whose handler raised an error."""

from dataclasses import dataclass

from shared.bus.errors import MisaddressedError
from shared.errors import RestoreError


@dataclass(frozen=True)
class RetryPolicy:
    """When to try again.

    Attributes
    ----------
    delays
        Seconds to wait after the first, second, … failed attempt; the last one repeats. It stays short, so that
        what waits for a dependency goes on within seconds of its return.
    spread
        Each delay is multiplied by one of these, drawn by lot: what failed together comes back one by one.
    deadline
        Seconds from the first failure after which a transient error is a dead letter too.
    unexpected_attempts
        How often an error that nobody foresaw may end an attempt until its event is a dead letter. An attempt
        that the broker took back (a killed process, a broken connection) is none of them.
    """

    delays: tuple[float, ...] = (1.0, 2.0, 5.0, 10.0)
    spread: tuple[float, ...] = (0.8, 1.0, 1.25)
    deadline: float = 3 * 24 * 3600.0
    unexpected_attempts: int = 3

    def delay_after(self, failures: int, *, chance: float = 0.5) -> float:
        """Seconds to wait after so many failures; ``chance`` from 0 up to 1 chooses within the spread."""
        return self.delays[min(failures, len(self.delays)) - 1] * self.spread[int(chance * len(self.spread))]

    @property
    def steps(self) -> tuple[float, ...]:
        """Every delay that there can be, in seconds, ascending."""
        return tuple(sorted({delay * factor for delay in self.delays for factor in self.spread}))


@dataclass(frozen=True)
class RetryLater:
    """Try again after ``delay`` seconds; say so to whoever waits, with the ``cause`` and its stable code."""

    delay: float
    cause: str


@dataclass(frozen=True)
class DeadLetter:
    """Keep the event aside for a person, with the stable ``code`` and the ``reason``.

    ``artefact`` is the key of the traceback in the object store, if it was kept.
    """

    code: str
    reason: str
    artefact: str | None = None


def decide(
    error: BaseException, *, failures: int, failing_for: float, policy: RetryPolicy, chance: float = 0.5
) -> RetryLater | DeadLetter:
    """Decide between another try and the dead letters.

    Parameters
    ----------
    error
        What the handler raised.
    failures
        How many attempts ended with an error, this one among them.
    failing_for
        Seconds since the first failure of this event in this queue.
    policy
        Delays and limits.
    chance
        A number drawn by lot, from 0 up to 1, that chooses within the policy's spread.
    """
    code = error.code if isinstance(error, RestoreError | MisaddressedError) else "unexpected"
    named = f"{type(error).__name__}: {error}"
    if isinstance(error, RestoreError):
        again = error.transient and failing_for < policy.deadline
    else:
        again = failures < policy.unexpected_attempts
    if not again:
        return DeadLetter(code, named)
    cause = f"{code}: {error if isinstance(error, RestoreError) else named}"
    return RetryLater(policy.delay_after(failures, chance=chance), cause)

"""What an examination of a deployment finds: of each thing whether it is as it must be, and else what to do."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from shared.errors import RestoreError

_NOTED, _TOO_MUCH = 5.0, 120.0
"""Seconds that two clocks may differ: what people notice, and what breaks signatures and leases soon."""


class Verdict(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """What was found of one thing.

    Attributes
    ----------
    check
        What was looked at, e.g. ``broker: version``.
    found
        What it is, for a person.
    advice
        What to do; empty if nothing is.
    """

    check: str
    verdict: Verdict
    found: str
    advice: str = ""


class Findings:
    """Collects what is found of one dependency.

    Parameters
    ----------
    subject
        The dependency, e.g. ``broker``.
    """

    def __init__(self, subject: str) -> None:
        self._subject = subject
        self._found: list[Finding] = []

    def __iter__(self) -> Iterator[Finding]:
        return iter(self._found)

    def ok(self, what: str, found: str) -> None:
        """Note that something is as it must be."""
        self._add(what, Verdict.OK, found, "")

    def warn(self, what: str, found: str, advice: str) -> None:
        """Note that something works, and that a person should look at it."""
        self._add(what, Verdict.WARN, found, advice)

    def fail(self, what: str, found: str, advice: str) -> None:
        """Note that something does not work."""
        self._add(what, Verdict.FAIL, found, advice)

    @contextmanager
    def attempt(self, what: str, advice: str) -> Iterator[None]:
        """Note an error of what is tried here as a failure with its advice; what follows is not done."""
        try:
            yield
        except (RestoreError, OSError, TimeoutError) as error:
            self.fail(what, f"{type(error).__name__}: {error}" if isinstance(error, OSError) else str(error), advice)

    def clock(self, theirs: datetime, *, before: datetime) -> None:
        """Compare another's clock, which was asked ``before`` and answered just now, with ours."""
        after = datetime.now(UTC)
        early, late = (before - theirs).total_seconds(), (theirs - after).total_seconds()
        apart = max(early, late, 0.0)
        found = f"{apart:.0f} s apart from this machine's" if apart >= 1 else "agrees with this machine's"
        if apart < _NOTED:
            self.ok("clock", found)
        elif apart < _TOO_MUCH:
            self.warn("clock", found, "let both machines follow a time server (chrony)")
        else:
            self.fail("clock", found, "let both machines follow a time server (chrony): signed requests are refused")

    def _add(self, what: str, verdict: Verdict, found: str, advice: str) -> None:
        self._found.append(Finding(f"{self._subject}: {what}", verdict, found, advice))

"""Chooses the way in which a block is restored, and remembers why."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from services.casa_runner.job import REFERENCE_SCRIPT, SINGLE_PASS_SCRIPT
from services.casa_runner.observed import Observed
from services.casa_runner.single_pass import InexpressibleError, Library, Rule, make_library
from shared.pipeline_files import ApplyCall


@dataclass(frozen=True, kw_only=True)
class Way:
    """How a block is restored.

    Attributes
    ----------
    script
        What CASA runs.
    library
        The calibration, if it is a single pass.
    why
        Rule and detail, if it is not.
    """

    script: Path
    library: Library | None = None
    why: str | None = None

    @property
    def method(self) -> str:
        """What the way is called in results and metrics."""
        return "single pass" if self.library else "reference"


def choose_way(calls: Sequence[ApplyCall], observed: Observed, *, wanted: str, averaged: bool) -> Way:
    """Choose the single pass where a calibration library can express every call, else the reference."""
    if wanted == "reference":
        return Way(script=REFERENCE_SCRIPT, why=Rule.CHOSEN.value)
    try:
        return Way(script=SINGLE_PASS_SCRIPT, library=make_library(calls, observed, averaged=averaged))
    except InexpressibleError as error:
        return Way(script=REFERENCE_SCRIPT, why=str(error))

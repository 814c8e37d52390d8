"""Restores with CASA tasks alone: in a single pass, or the reference way, which judges all others."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

from services.casa_runner.casas import ChosenCasa
from services.casa_runner.job import REFERENCE_SCRIPT, SINGLE_PASS_SCRIPT, keywords
from services.casa_runner.single_pass import Library
from services.casa_runner.staging import Inputs
from services.casa_runner.workspace import Attempt
from shared.pipeline_files import ApplyCall

# Scratch in sizes of the ASDM: itself, and twice what was measured beside it (1.11 in two processes, 2.16), since
# the ASDMs measured hold 32-bit numbers as a MeasurementSet does, and those of ALMA's correlators mostly 16-bit ones.
SINGLE_PASS_SCRATCH = 3.5
REFERENCE_SCRATCH = 5.5


@dataclass(frozen=True, kw_only=True)
class TasksWay:
    """A way by CASA tasks; see `Way`.

    Attributes
    ----------
    calls
        The applycal calls that are needed, in order.
    library
        The same for a single pass; None: the reference way.
    """

    casa: ChosenCasa
    calls: tuple[ApplyCall, ...]
    library: Library | None = None
    why: str | None = None
    makes_all: ClassVar[bool] = True

    @property
    def method(self) -> str:
        """What the way is called in results and metrics."""
        return "single pass" if self.library else "reference"

    @property
    def scratch_factor(self) -> float:
        """Free scratch that it needs, in sizes of the ASDM."""
        return SINGLE_PASS_SCRATCH if self.library else REFERENCE_SCRATCH

    @property
    def script(self) -> Path:
        """What CASA runs."""
        return SINGLE_PASS_SCRIPT if self.library else REFERENCE_SCRIPT

    def lay_out(self, inputs: Inputs, attempt: Attempt, *, limit: int) -> None:
        """Unpack tables and flags beside the ASDM."""
        inputs.unpack_calibration(attempt, limit=limit)
        inputs.write_asdm(attempt)

    def job(self, attempt: Attempt) -> dict[str, Any]:  # noqa: ARG002  # the Protocol's
        """Tell the calls, and the library if there is one."""
        library = self.library
        return {
            "calls": [keywords(call) for call in self.calls],
            "library": [asdict(term) for term in library.terms] if library else [],
            "raw_autocorrelations": library.raw_autocorrelations if library else False,
        }

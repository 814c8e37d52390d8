"""Restores as the observatory does: the ALMA pipeline runs the processing request, CASA splits what comes out."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from services.casa_runner.casas import ChosenCasa
from services.casa_runner.staging import Inputs
from services.casa_runner.workspace import Attempt

SCRIPT = Path(__file__).parent / "casa" / "by_pipeline.py"
_ROOT = "pipeline-root"
PIPELINE_SCRATCH = 6.0
"""In sizes of the ASDM: as for the reference way, and what the pipeline writes of its own."""


@dataclass(frozen=True, kw_only=True)
class PipelineWay:
    """The way of the pipeline; see `Way`.

    Attributes
    ----------
    shell
        Starts the application with the pipeline.
    """

    casa: ChosenCasa
    shell: tuple[str, ...]
    why: str | None
    method: ClassVar[str] = "pipeline"
    script: ClassVar[Path] = SCRIPT
    makes_all: ClassVar[bool] = True
    scratch_factor: ClassVar[float] = PIPELINE_SCRATCH

    def lay_out(self, inputs: Inputs, attempt: Attempt, *, limit: int) -> None:  # noqa: ARG002  # the pipeline unpacks
        """Put the ASDM and its calibration into ``rawdata`` and the request into ``working``.

        The request names its folder below a root that the environment names: a link leads from there.
        """
        inputs.write_asdm(attempt)
        inputs.write_calibration(attempt.rawdata)
        request = inputs.write_ppr(attempt.working)
        folder = attempt.root / _ROOT / request.sched_block.relative_path
        folder.parent.mkdir(parents=True)
        # Relative, so that it leads back also from where a failed attempt is kept.
        folder.symlink_to(Path(*[".."] * len(folder.parent.relative_to(attempt.root).parts)))

    def job(self, attempt: Attempt) -> dict[str, Any]:
        """Tell where application and request are."""
        (ppr,) = attempt.working.glob("PPR_*.xml")
        return {
            "shell": list(self.shell),
            "shell_version": self.casa.version,
            "shell_environment": {"SCIPIPE_ROOTDIR": str(attempt.root / _ROOT)},
            "ppr": ppr.name,
        }

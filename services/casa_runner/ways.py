"""The ways in which a block can be restored: what they have in common, and which one is taken."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import structlog

from contracts.reasons import ReasonCode
from services.casa_runner.casas import ChosenCasa
from services.casa_runner.observed import Observed
from services.casa_runner.requested import Asked
from services.casa_runner.settings import Wanted
from services.casa_runner.single_pass import InexpressibleError, Library, Rule, make_library
from services.casa_runner.staging import Inputs
from services.casa_runner.way_by_pipeline import PIPELINE_SCRATCH, PipelineWay
from services.casa_runner.way_by_tasks import REFERENCE_SCRATCH, SINGLE_PASS_SCRATCH, TasksWay
from services.casa_runner.workspace import Attempt
from shared.errors import BlockFailedError
from shared.pipeline_files import ApplyCall

USUAL_SCRATCH: Mapping[Wanted, float] = {
    "fastest": SINGLE_PASS_SCRATCH,
    "reference": REFERENCE_SCRATCH,
    "pipeline": PIPELINE_SCRATCH,
}
"""Free scratch, in sizes of the ASDM, that most blocks need where this way is wanted."""
log = structlog.get_logger()


class Way(Protocol):
    """How a block is restored.

    Attributes
    ----------
    method
        What it is called in results and metrics.
    why
        Rule and detail, if it is not the single pass.
    casa
        The CASA that does it.
    script
        What CASA runs.
    makes_all
        Whether all that was observed comes out, so that rows can be counted beforehand.
    scratch_factor
        Free scratch that it needs, in sizes of the ASDM, unless the settings say how much.
    """

    @property
    def method(self) -> str: ...  # noqa: D102  # said above

    @property
    def why(self) -> str | None: ...  # noqa: D102  # said above

    @property
    def casa(self) -> ChosenCasa: ...  # noqa: D102  # said above

    @property
    def script(self) -> Path: ...  # noqa: D102  # said above

    @property
    def makes_all(self) -> bool: ...  # noqa: D102  # said above

    @property
    def scratch_factor(self) -> float: ...  # noqa: D102  # said above

    def lay_out(self, inputs: Inputs, attempt: Attempt, *, limit: int) -> None:
        """Write all that it needs where it looks for it.

        Parameters
        ----------
        limit
            Most bytes that an archive may unpack to.

        Raises
        ------
        BlockFailedError
            If something is missing or damaged.
        """

    def job(self, attempt: Attempt) -> dict[str, Any]:
        """Say what its script has to know beyond what all are told."""


def choose_way(
    asked: Asked,
    calls: Sequence[ApplyCall],
    observed: Observed,
    *,
    casa: ChosenCasa,
    wanted: Wanted,
    averaged: bool,
) -> Way:
    """Choose the way for a block that the pipeline calibrated.

    Single dish is the pipeline's alone. Interferometry goes through the pipeline if that is wanted and
    there is one; else in a single pass where a calibration library can express every call; else the
    reference way.

    Raises
    ------
    BlockFailedError
        If it needs a pipeline and there is none (``pipeline_needed``), or if single-dish data is to be restored
        as if it were of an interferometer (``calibration_unclear``).
    """
    if asked is Asked.INTERFEROMETRY and not observed.crosscorrelations:
        raise BlockFailedError(
            ReasonCode.CALIBRATION_UNCLEAR, f"the data has no cross-correlations, and {asked.value} was ordered for it"
        )
    if asked is Asked.SINGLE_DISH:
        return _by_pipeline(casa, Rule.SINGLE_DISH)
    if wanted == "pipeline" and casa.has_pipeline:
        return _by_pipeline(casa, Rule.CHOSEN)
    if wanted == "reference":
        return TasksWay(casa=casa, calls=tuple(calls), why=Rule.CHOSEN.value)
    if wanted == "pipeline":
        log.warning("pipeline_not_here", consequence="the block is restored by CASA tasks, which give the same")
    return _by_tasks(casa, calls, observed, averaged=averaged)


def _by_tasks(casa: ChosenCasa, calls: Sequence[ApplyCall], observed: Observed, *, averaged: bool) -> TasksWay:
    library: Library | None = None
    why = None
    try:
        library = make_library(calls, observed, averaged=averaged)
    except InexpressibleError as error:
        why = str(error)
    return TasksWay(casa=casa, calls=tuple(calls), library=library, why=why)


def _by_pipeline(casa: ChosenCasa, why: Rule) -> PipelineWay:
    if casa.shell is None or not casa.has_pipeline:
        raise BlockFailedError(
            ReasonCode.PIPELINE_NEEDED,
            f"CASA {casa.version or 'here'} has no pipeline, and this calibration needs it ({why})",
        )
    return PipelineWay(casa=casa, shell=casa.shell, why=why.value)

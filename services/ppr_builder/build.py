"""Makes processing requests for execution blocks of a MOUS."""

from collections.abc import Collection
from datetime import datetime

from contracts.identifiers import ExecBlockUid
from contracts.messages.parts import MousStructure
from shared.pipeline_files.ppr import (
    AsdmIdentifier,
    Intent,
    Kind,
    PprError,
    Procedure,
    ProcessingRequest,
    ProjectStructure,
    ProjectSummary,
    SchedBlock,
    find_recipe,
    session_intents,
)
from shared.pipeline_files.ppr.rules import check_text

UNTITLED = "Undefined"


def restore_request(
    structure: MousStructure,
    eb_uid: ExecBlockUid,
    *,
    casa_version: str,
    calibrated_by: str | None = None,
    created: datetime,
) -> ProcessingRequest:
    """Make the request that restores one execution block of a MOUS, in the session that it was calibrated in.

    Parameters
    ----------
    structure
        The MOUS, its sessions numbered 1, 2 … without gaps.
    eb_uid
        The execution block.
    casa_version
        CASA of the calibration, which decides the recipe.
    calibrated_by
        Name of the recipe that made the calibration, if known; those of single dish begin with ``hsd``.
    created
        When the request is made; the same time gives the same request.

    Raises
    ------
    PprError
        If the pipeline would misread the request.
    """
    kind = Kind.SD_RESTORE if (calibrated_by or "").startswith("hsd") else Kind.RESTORE
    recipe = find_recipe(kind, casa_version)
    return processing_request(
        structure, [eb_uid], procedure=recipe.procedure(), observing_mode=recipe.intent, created=created
    )


def import_request(
    structure: MousStructure, eb_uid: ExecBlockUid, *, casa_version: str, created: datetime
) -> ProcessingRequest:
    """Make the request that is kept with a block calibrated by hand: it names block and session, and only imports.

    Raises
    ------
    PprError
        If the pipeline would misread the request.
    """
    recipe = find_recipe(Kind.IMPORT, casa_version)
    return processing_request(
        structure, [eb_uid], procedure=recipe.procedure(), observing_mode=recipe.intent, created=created
    )


def processing_request(
    structure: MousStructure,
    blocks: Collection[ExecBlockUid],
    *,
    procedure: Procedure,
    observing_mode: str,
    created: datetime,
) -> ProcessingRequest:
    """Make a request for some or all execution blocks of a MOUS.

    All sessions are there, and those without any of the blocks are empty: the
    pipeline counts them to name the session, which has to be that of the
    calibration tables.

    Parameters
    ----------
    structure
        The MOUS, its sessions numbered 1, 2 … without gaps.
    blocks
        Which of its execution blocks; they are written in the order of the sessions.
    procedure
        What is done with them.
    observing_mode
        The intent that tells whether it is interferometry or single dish.
    created
        When the request is made; the same time gives the same request.

    Raises
    ------
    PprError
        If the pipeline would misread the request, or a block is in no session.
    """
    moment = ProjectSummary.moment(created)
    tree = structure.tree
    return ProcessingRequest(
        summary=ProjectSummary(proposal_code=structure.project_code, creation_time=moment),
        structure=ProjectStructure(
            obs_project_uid=tree.obs_project_uid,
            obs_unit_set_part_id=tree.obs_unit_set_part_id,
            obs_unit_set_title=usable_title(tree.obs_unit_set_title),
            project_status_uid=tree.project_status_uid,
            mous_uid=structure.mous_uid,
        ),
        intents=_intents(structure, blocks, observing_mode),
        procedure=procedure,
        sched_block=SchedBlock(
            relative_path=relative_path(structure, moment),
            sched_block_uid=tree.sched_block_uid,
            sb_status_uid=tree.sb_status_uid,
            title=usable_title(tree.sched_block_title),
            asdms=tuple(AsdmIdentifier.of(block) for block in _ordered(structure, blocks)),
        ),
    )


def file_name(structure: MousStructure) -> str:
    """Name a request's file as pipelineMakeRequest does: after the status entity of the scheduling block."""
    return f"PPR_{structure.tree.sb_status_uid.file_form}.xml"


def relative_path(structure: MousStructure, moment: datetime) -> str:
    """Name the folder of the MOUS below the pipeline's root as pipelineMakeRequest does."""
    stamp = f"{moment:%Y_%m_%dT%H_%M_%S}.{moment.microsecond // 1000:03d}"
    tree = structure.tree
    return (
        f"{structure.project_code}_{stamp}/SOUS_{tree.sgous_uid.file_form}"
        f"/GOUS_{tree.gous_uid.file_form}/MOUS_{structure.mous_uid.file_form}"
    )


def usable_title(title: str) -> str:
    """Return a title, or ``Undefined`` if it is one that the pipeline trips over, such as ``123``.

    Nothing of the result depends on titles, so a block need not fail for one.
    """
    try:
        check_text(title, where="title")
    except PprError:
        return UNTITLED
    return title


def _ordered(structure: MousStructure, blocks: Collection[ExecBlockUid]) -> list[ExecBlockUid]:
    """Put the blocks into the order of the sessions; those of no session come last, for the model to refuse."""
    wanted = frozenset(blocks)
    known = [block for block in structure.execution_blocks if block in wanted]
    return known + sorted(wanted.difference(known))


def _intents(structure: MousStructure, blocks: Collection[ExecBlockUid], observing_mode: str) -> tuple[Intent, ...]:
    wanted = frozenset(blocks)
    sessions = [tuple(block for block in session.execution_blocks if block in wanted) for session in structure.sessions]
    return (
        Intent(keyword="PROCESS", value=True),
        *session_intents(sessions),
        Intent(keyword=observing_mode, value="Undefined"),
    )

"""Makes the processing request that restores one execution block."""

from datetime import datetime

from contracts.identifiers import ExecBlockUid
from contracts.messages.parts import MousStructure
from shared.pipeline_files.ppr import (
    AsdmIdentifier,
    Command,
    Intent,
    Parameter,
    PprError,
    Procedure,
    ProcessingRequest,
    ProjectStructure,
    ProjectSummary,
    SchedBlock,
    session_intents,
)
from shared.pipeline_files.ppr.rules import check_text

UNTITLED = "Undefined"


def restore_request(structure: MousStructure, eb_uid: ExecBlockUid, *, created: datetime) -> ProcessingRequest:
    """Make the request for one execution block of a MOUS, in the session that it was calibrated in.

    All sessions are there, and all but the block's own are empty: the pipeline
    counts them to name the session, which has to be that of the calibration tables.

    Parameters
    ----------
    structure
        The MOUS, its sessions numbered 1, 2 … without gaps.
    eb_uid
        The execution block.
    created
        When the request is made; the same time gives the same request.

    Raises
    ------
    PprError
        If the pipeline would misread the request.
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
        intents=_intents(structure, eb_uid),
        procedure=Procedure(
            title="hifa_restore",
            # The calibration products lie in rawdata, from where they need no copying.
            commands=(Command(task="hifa_restoredata", parameters=(Parameter(keyword="copytoraw", value=False),)),),
        ),
        sched_block=SchedBlock(
            relative_path=relative_path(structure, moment),
            sched_block_uid=tree.sched_block_uid,
            sb_status_uid=tree.sb_status_uid,
            title=usable_title(tree.sched_block_title),
            asdms=(AsdmIdentifier.of(eb_uid),),
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


def _intents(structure: MousStructure, eb_uid: ExecBlockUid) -> tuple[Intent, ...]:
    sessions = [tuple(block for block in session.execution_blocks if block == eb_uid) for session in structure.sessions]
    return (
        Intent(keyword="PROCESS", value=True),
        *session_intents(sessions),
        Intent(keyword="INTERFEROMETRY_STANDARD_OBSERVING_MODE", value="Undefined"),
    )

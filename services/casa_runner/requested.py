"""What a processing request asks of a runner, read as the pipeline reads it."""

from enum import StrEnum

from contracts.identifiers import ExecBlockUid
from shared.pipeline_files.ppr import PprError, ProcessingRequest, read_ppr


class Asked(StrEnum):
    """What is asked for, by the one task of the request."""

    INTERFEROMETRY = "hifa_restoredata"
    SINGLE_DISH = "hsd_restoredata"
    IMPORT = "hifa_importdata"
    """Nothing but the data: their calibration was made by hand."""


def read_asked(data: bytes, *, eb_uid: ExecBlockUid, session: str) -> Asked:
    """Read what a request asks for, once it is about this block alone, in the session that was ordered.

    Raises
    ------
    PprError
        If the pipeline would misread it, its commands are none that a runner does, or it is about
        another block or session.
    """
    request = read_ppr(data)
    asked = _asked(request)
    if request.execution_blocks != (eb_uid,):
        raise PprError("other_blocks", f"it names {', '.join(request.execution_blocks)}, not {eb_uid} alone")
    if (found := request.session_of(eb_uid)) != session:
        raise PprError("other_session", f"it puts {eb_uid} into {found}, and {session} was ordered")
    return asked


def _asked(request: ProcessingRequest) -> Asked:
    tasks = [command.task for command in request.procedure.commands]
    if len(tasks) != 1 or tasks[0] not in list(Asked):
        raise PprError(
            "other_commands", f"its commands are {', '.join(tasks)}; a runner does one of {', '.join(Asked)} alone"
        )
    return Asked(tasks[0])

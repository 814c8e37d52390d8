"""Words for processing requests: what one says, and what the pipeline does with it."""

from collections.abc import Iterator
from pathlib import Path

from shared.pipeline_files.ppr import ProcessingRequest
from shared.pipeline_files.ppr.foresight import Foresight


def request_lines(request: ProcessingRequest, casa_version: str, path: Path) -> Iterator[str]:
    """Say what was made, and how the pipeline runs it."""
    commands = len(request.procedure.commands)
    yield f"{request.procedure.title} with the recipe of CASA {casa_version}, {commands} commands"
    for block in request.execution_blocks:
        yield f"  {block} in {request.session_of(block)}"
    yield str(path)
    root = path.parents[request.sched_block.relative_path.count("/") + 2]
    flag = " --pipeline" if casa_version < "6" else ""
    yield (
        f"with the pipeline: cd {path.parent} && SCIPIPE_ROOTDIR={root} casa --nogui --nologger --agg{flag} -c "
        f"\"import pipeline.infrastructure.executeppr as e; e.executeppr('{path.name}', importonly=False)\""
    )


def foresight_lines(foresight: Foresight) -> Iterator[str]:
    """Say what the pipeline reads, and what it runs."""
    yield f"The pipeline {foresight.ending}."
    yield f"project  {foresight.summary.get('ProposalCode')}"
    yield f"MOUS     {foresight.structure.get('OUSStatusRef/entityId')}"
    yield f"folder   $SCIPIPE_ROOTDIR/{foresight.relative_path}/working"
    yield f"recipe   {foresight.title}"
    for asdm, session in foresight.sessions.items():
        yield f"  {asdm} in {session}"
    for step in foresight.steps:
        data = ["vis=…", "session=…"] if step.takes_data else []
        yield f"  {step.task}({', '.join([*data, *(f'{key}={value!r}' for key, value in step.parameters.items())])})"

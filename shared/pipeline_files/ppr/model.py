"""The processing request as a whole, and the rules that join its parts."""

from dataclasses import dataclass

from contracts.identifiers import ExecBlockUid, SessionName
from shared.pipeline_files.ppr.dataset import SchedBlock
from shared.pipeline_files.ppr.procedure import Procedure
from shared.pipeline_files.ppr.project import ProjectStructure, ProjectSummary
from shared.pipeline_files.ppr.rules import PprError, repeated
from shared.pipeline_files.ppr.sessions import Intent, read_sessions


@dataclass(frozen=True, kw_only=True)
class ProcessingRequest:
    """A PPR that the pipeline runs as it is written.

    Whatever the pipeline would misread, shorten or refuse raises `PprError` when
    the model is made, so there is no way to write such a request.

    Attributes
    ----------
    summary, structure
        Which project and MOUS it is about.
    intents
        Keywords and values in their order, the sessions among them.
    procedure
        The tasks to run.
    sched_block
        The data to run them on.
    """

    summary: ProjectSummary
    structure: ProjectStructure
    intents: tuple[Intent, ...]
    procedure: Procedure
    sched_block: SchedBlock

    def __post_init__(self) -> None:
        if twice := repeated(intent.keyword for intent in self.intents):
            raise PprError("repeated_intent", f"of the intents {', '.join(twice)} only the last would count")
        grouped = {block for session in self.sessions for block in session}
        lost = [block for block in self.execution_blocks if block not in grouped]
        if lost:
            raise PprError(
                "asdm_without_session", f"in no session, so taken for session_1 without a word: {', '.join(lost)}"
            )

    @property
    def sessions(self) -> tuple[tuple[ExecBlockUid, ...], ...]:
        """The execution blocks of session 1, 2 …, each of which may be empty."""
        return read_sessions(self.intents)

    @property
    def execution_blocks(self) -> tuple[ExecBlockUid, ...]:
        """The execution blocks to be processed."""
        return tuple(asdm.exec_block_uid for asdm in self.sched_block.asdms)

    def session_of(self, eb_uid: ExecBlockUid) -> SessionName:
        """Name the session that the pipeline puts an execution block into.

        Raises
        ------
        KeyError
            If the request does not name the block.
        """
        for number, blocks in enumerate(self.sessions, start=1):
            if eb_uid in blocks:
                return SessionName.numbered(number)
        raise KeyError(eb_uid)

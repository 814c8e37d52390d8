"""What a miniature archive's tables are filled with: people, projects, and MOUSs with their observations."""

from dataclasses import dataclass, field
from datetime import datetime

from contracts.identifiers import EntityUid, ExecBlockUid, MousUid, ProjectCode


@dataclass(frozen=True, kw_only=True)
class DemoAccount:
    """An account of an ALMA user."""

    account_id: str
    first_name: str
    last_name: str
    email: str
    is_active: bool = True

    @property
    def name(self) -> str:
        """The user's name as the helpdesk has it."""
        return f"{self.first_name} {self.last_name}"


@dataclass(frozen=True, kw_only=True)
class DemoProject:
    """A project with its PI, and those to whom the PI gave the right to its data."""

    code: ProjectCode
    title: str
    obs_project_uid: EntityUid
    project_status_uid: EntityUid
    pi: DemoAccount
    delegees: tuple[DemoAccount, ...] = ()


@dataclass(frozen=True, kw_only=True)
class DemoBlock:
    """An execution block and its QA0 status (Pass, SemiPass, Fail, Unset or Pending)."""

    uid: ExecBlockUid
    qa0: str = "Pass"


@dataclass(frozen=True, kw_only=True)
class DemoSession:
    """A session in stored order; it may hold no block, and its end may never have been noted."""

    blocks: tuple[DemoBlock, ...] = ()
    is_end_known: bool = True


@dataclass(frozen=True, kw_only=True)
class DemoMous:
    """A MOUS with all that the tables say of it.

    Attributes
    ----------
    uid, gous_uid, sgous_uid
        UIDs of its status entity and of those above it.
    part_id
        Its part id within the ObsProject, ``X`` and digits.
    state
        Its life-cycle state, e.g. ``Delivered``.
    release_date
        When it becomes public, UTC; None if no date is set.
    first_start
        When its first execution block began, UTC.
    has_status_document
        Whether the OUSStatus document is there.
    """

    uid: MousUid
    project: DemoProject
    gous_uid: EntityUid
    sgous_uid: EntityUid
    part_id: str
    sched_block_uid: EntityUid
    sb_status_uid: EntityUid
    first_start: datetime
    title: str = "Member OUS (HLX_Target)"
    sched_block_title: str = "HLX_Target_a_06_TM1"
    state: str = "Delivered"
    release_date: datetime | None = None
    sessions: tuple[DemoSession, ...] = field(default_factory=tuple)
    has_status_document: bool = True

    @property
    def blocks(self) -> tuple[DemoBlock, ...]:
        """All its execution blocks in the order of their sessions."""
        return tuple(block for session in self.sessions for block in session.blocks)

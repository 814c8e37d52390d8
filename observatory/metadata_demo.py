"""The people, projects and MOUSs of the demo, which the acceptance tests use too: the one place that names them.

UIDs of the MOUSs, of the first one's execution blocks and its project code are
those of public notes on restoring ALMA data, and so is what makes each of these six
MOUSs special (`NOTED`); everything else is invented.
"""

from dataclasses import replace
from datetime import UTC, datetime

from contracts.identifiers import EntityUid, ExecBlockUid, MousUid, ProjectCode
from observatory.metadata_entities import DemoAccount, DemoBlock, DemoMous, DemoProject, DemoSession

PROPRIETARY = datetime(2099, 1, 1, tzinfo=UTC)
PUBLIC = datetime(2019, 11, 1, tzinfo=UTC)

PI = DemoAccount(account_id="apereira", first_name="Ana", last_name="Pereira", email="Ana.Pereira@example.org")
DELEGEE = DemoAccount(account_id="jokafor", first_name="Jon", last_name="Okafor", email="jon.okafor@example.org")
STRANGER = DemoAccount(account_id="mlind", first_name="Mei", last_name="Lind", email="mei.lind@example.org")
ACCOUNTS = (PI, DELEGEE, STRANGER)

PROJECT = DemoProject(
    code=ProjectCode("2017.1.00886.L"),
    title="A synthetic survey of one target",
    obs_project_uid=EntityUid("uid://A001/X1220/Xabc"),
    project_status_uid=EntityUid("uid://A001/X1284/X2600"),
    pi=PI,
    delegees=(DELEGEE,),
)
PUBLIC_PROJECT = DemoProject(
    code=ProjectCode("2017.1.00042.S"),
    title="A synthetic snapshot that is public",
    obs_project_uid=EntityUid("uid://A001/X1221/Xdef"),
    project_status_uid=EntityUid("uid://A001/X12a3/X700"),
    pi=PI,
)

CYCLE_0_PROJECT = ProjectCode("2011.0.00001.S")
CYCLE_0_MOUS = MousUid("uid://A002/X303d5a/X1")
"""No table knows it: a Cycle 0 request is refused before any is asked."""
UNKNOWN_MOUS = MousUid("uid://A001/X1fff/X1")

CALIBRATOR_FIELDS = ("J0510+1800", "J0321+1234")


def _session(*uids: str, qa0: str = "Pass", is_end_known: bool = True) -> DemoSession:
    blocks = tuple(DemoBlock(uid=ExecBlockUid(uid), qa0=qa0) for uid in uids)
    return DemoSession(blocks=blocks, is_end_known=is_end_known)


MOUS = DemoMous(
    uid=MousUid("uid://A001/X1284/X265f"),
    project=PROJECT,
    gous_uid=EntityUid("uid://A001/X1284/X265e"),
    sgous_uid=EntityUid("uid://A001/X1284/X265d"),
    part_id="X644753181",
    sched_block_uid=EntityUid("uid://A001/X1284/X2620"),
    sb_status_uid=EntityUid("uid://A001/X1284/X2660"),
    first_start=datetime(2018, 10, 1, 8, 0, tzinfo=UTC),
    release_date=PROPRIETARY,
    sessions=(
        _session("uid://A002/Xc7111c/X3979", "uid://A002/Xc7111c/X409e"),
        _session(is_end_known=False),
        _session("uid://A002/Xc7111c/X86a7", "uid://A002/Xc72427/X2dfe"),
    ),
)
"""Four execution blocks in two sessions, with an empty session in between."""


def _like(uid: str, number: int, *sessions: DemoSession, project: DemoProject = PROJECT) -> DemoMous:
    """Make a further MOUS whose other UIDs are counted on from its own."""
    stem, last = uid.rsplit("/X", 1)
    units = [EntityUid(f"{stem}/X{int(last, 16) + step:x}") for step in (0x10000, 0x10001, 0x10002, 0x10003)]
    return replace(
        MOUS,
        uid=MousUid(uid),
        project=project,
        sgous_uid=units[0],
        gous_uid=units[1],
        sched_block_uid=units[2],
        sb_status_uid=units[3],
        part_id=f"X{644753200 + number}",
        release_date=PUBLIC if project is PUBLIC_PROJECT else PROPRIETARY,
        sessions=sessions,
    )


CORRUPTED = _like("uid://A001/X12a3/X80e", 1, _session("uid://A002/Xc89480/X1f32"), project=PUBLIC_PROJECT)
"""A public MOUS; one binary file of its execution block is damaged in the archive."""
TRUNCATED = replace(
    _like(
        "uid://A001/X12cc/X4a",
        2,
        _session("uid://A002/Xc91189/X6b0", "uid://A002/Xc91189/Xb2f"),
        project=PUBLIC_PROJECT,
    ),
    sb_status_uid=EntityUid("uid://A001/X12cc/X4b"),
)
"""A public MOUS with two execution blocks in one session; a binary file of the first is cut short in the archive."""

NOT_DELIVERED = replace(
    _like("uid://A001/X1295/X31", 3, _session("uid://A002/Xc99ad7/X11c")), state="ReadyForReview", release_date=None
)
IN_QA3 = replace(_like("uid://A001/X1295/X35", 4, _session("uid://A002/Xc99ad7/X5d2")), state="QA3InProgress")
NOTHING_PASSED = _like(
    "uid://A001/X1295/X39",
    5,
    _session("uid://A002/Xc9e6a1/X20b", qa0="SemiPass"),
    _session("uid://A002/Xc9e6a1/X8f4", qa0="Fail"),
)

TWO_SESSIONS = replace(
    _like("uid://A001/X1284/X266", 6, _session("uid://A002/Xc6c0f0/X1a4"), _session("uid://A002/Xc6d2f9/X3b7")),
    sb_status_uid=EntityUid("uid://A001/X1284/X267"),
)
"""Two execution blocks, a session each."""
EMPTY_FIRST_SESSION = _like("uid://A001/X1284/Xf3b", 7, _session(), _session("uid://A002/Xc7a1be/X2c9"))
"""Its first session is empty: dropped, the block's tables would be sought in the wrong session."""
NO_END_TIME = replace(
    _like("uid://A001/X133d/X3681", 8, _session("uid://A002/Xd10bc3/X7e5", is_end_known=False)),
    has_status_document=False,
)
"""Its session's end is NULL, and only the session tables tell of it."""

NOTED = (MOUS, CORRUPTED, TRUNCATED, TWO_SESSIONS, EMPTY_FIRST_SESSION, NO_END_TIME)
"""The MOUSs that NRAO's page of notes on an OUS level restore names (see above)."""

MOUSS = (
    MOUS,
    CORRUPTED,
    TRUNCATED,
    NOT_DELIVERED,
    IN_QA3,
    NOTHING_PASSED,
    TWO_SESSIONS,
    EMPTY_FIRST_SESSION,
    NO_END_TIME,
)

"""A valid processing request of the demo's structure, and generated ones."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from contracts.identifiers import ExecBlockUid
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
from shared.pipeline_files.ppr.procedure import TASKS
from shared.pipeline_files.ppr.rules import check_text, check_value

FIRST = ExecBlockUid("uid://A002/Xc7111c/X3979")
SECOND = ExecBlockUid("uid://A002/Xc7111c/X409e")
THIRD = ExecBlockUid("uid://A002/Xc7111c/X86a7")

SUMMARY: dict[str, Any] = {
    "proposal_code": "2017.1.00886.L",
    "creation_time": datetime(2018, 10, 1, 12, tzinfo=UTC),
}
STRUCTURE: dict[str, Any] = {
    "obs_project_uid": "uid://A001/X1220/Xabc",
    "obs_unit_set_part_id": "X644753181",
    "project_status_uid": "uid://A001/X1284/X2600",
    "mous_uid": "uid://A001/X1284/X265f",
}
SCHED_BLOCK: dict[str, Any] = {
    "relative_path": "2017.1.00886.L_2018_10_01T12_00_00.000/SOUS_a/GOUS_b/MOUS_c",
    "sched_block_uid": "uid://A001/X1284/X2620",
    "sb_status_uid": "uid://A001/X1284/X2660",
    "asdms": (AsdmIdentifier.of(FIRST), AsdmIdentifier.of(THIRD)),
}
RESTORE = Command(task="hifa_restoredata", parameters=(Parameter(keyword="copytoraw", value=False),))


def request(**changes: Any) -> ProcessingRequest:
    """Make a request for one block of session 1 and one of session 3; ``changes`` replace its parts."""
    parts: dict[str, Any] = {
        "summary": ProjectSummary(**SUMMARY),
        "structure": ProjectStructure(**STRUCTURE),
        "intents": (Intent(keyword="PROCESS", value=True), *session_intents([(FIRST, SECOND), (), (THIRD,)])),
        "procedure": Procedure(title="hifa_restore", commands=(RESTORE,)),
        "sched_block": SchedBlock(**SCHED_BLOCK),
    }
    return ProcessingRequest(**{**parts, **changes})


def is_text(text: str) -> bool:
    try:
        check_text(text, where="text")
    except PprError:
        return False
    return True


def is_value(value: Any) -> bool:
    try:
        check_value(value, where="value")
    except PprError:
        return False
    return True


def _collections(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(ASCII, max_size=3), inner, max_size=2)
    )


UIDS = st.builds("uid://A{:03x}/X{:x}/X{:x}".format, *[st.integers(0, 4095)] * 3)
ASCII = st.characters(codec="ascii")
CHARACTERS = st.characters(min_codepoint=ord(" "), max_codepoint=ord("~"))
TEXTS = (
    st.builds(str.__add__, st.sampled_from("abcNGC<&>'\"|$%"), st.text(CHARACTERS, max_size=12))
    .map(str.strip)
    .filter(is_text)
)
FREE_TEXTS = st.just("") | st.just("天の川") | TEXTS | st.integers().map(str)
SCALARS: st.SearchStrategy[Any] = (
    st.booleans() | st.integers() | st.floats(allow_nan=False) | st.just("") | st.just("None") | TEXTS
)
COLLECTIONS: st.SearchStrategy[Any] = st.recursive(
    st.booleans() | st.integers() | st.text(ASCII, max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(ASCII, max_size=3), inner, max_size=2)
    ),
    max_leaves=6,
).filter(lambda value: isinstance(value, list | tuple | dict))
VALUES = (SCALARS | COLLECTIONS).filter(is_value)


@st.composite
def summaries(draw: st.DrawFn) -> ProjectSummary:
    names = ("processing_site", "operator", "mode", "version")
    return ProjectSummary(
        proposal_code=draw(TEXTS),
        creation_time=ProjectSummary.moment(draw(st.datetimes(min_value=datetime(1970, 1, 1), timezones=st.just(UTC)))),  # noqa: DTZ001  # hypothesis adds the zone
        observatory=draw(TEXTS),
        telescope=draw(TEXTS),
        **{name: draw(FREE_TEXTS) for name in names},
    )


@st.composite
def commands(draw: st.DrawFn) -> Command:
    task = draw(st.sampled_from(sorted(TASKS)))
    keywords = draw(st.lists(st.sampled_from(sorted(TASKS[task])), unique=True, max_size=4))
    return Command(task=task, parameters=tuple(Parameter(keyword=keyword, value=draw(VALUES)) for keyword in keywords))


@st.composite
def requests(draw: st.DrawFn) -> ProcessingRequest:
    """Generate valid requests of every shape: many blocks, empty sessions, other intents, several commands."""
    blocks = [ExecBlockUid(uid) for uid in draw(st.lists(UIDS, min_size=1, max_size=5, unique=True))]
    places = draw(st.lists(st.integers(0, 4), min_size=len(blocks), max_size=len(blocks)))
    sessions = [
        [block for block, at in zip(blocks, places, strict=True) if at == place] for place in range(max(places) + 1)
    ]
    keywords = draw(
        st.lists(TEXTS.filter(lambda text: not text.lower().startswith("session")), unique=True, max_size=3)
    )
    others = [Intent(keyword=keyword, value=draw(VALUES)) for keyword in keywords]
    chosen = draw(st.lists(st.sampled_from(blocks), min_size=1, unique=True))
    part_id = f"X{draw(st.integers(0, 10**9))}"
    return ProcessingRequest(
        summary=draw(summaries()),
        structure=ProjectStructure(
            obs_project_uid=draw(UIDS),
            obs_unit_set_part_id=part_id,
            project_status_uid=draw(UIDS),
            mous_uid=draw(UIDS),
            obs_unit_set_title=draw(TEXTS),
            obs_unit_set_type=draw(TEXTS),
        ),
        intents=tuple(draw(st.permutations([*session_intents(sessions), *others]))),
        procedure=Procedure(
            title=draw(TEXTS.filter(lambda text: "/" not in text)),
            commands=tuple(draw(st.lists(commands(), min_size=1, max_size=3))),
        ),
        sched_block=SchedBlock(
            **{
                **SCHED_BLOCK,
                "title": draw(FREE_TEXTS),
                "asdms": tuple(AsdmIdentifier.of(block) for block in chosen),
            }
        ),
    )

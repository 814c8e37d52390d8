"""A valid processing request of the demo's structure, and generated ones."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
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
    write_ppr,
)
from shared.pipeline_files.ppr.rules import check_text, check_value
from shared.pipeline_files.ppr.tasks import BREAKPOINT, known_tasks

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


def _text(random: Random) -> str:
    """Make a text of printable ASCII that begins like no number; markup, quotes and spaces are likely."""
    return random.choice("abcNGC<&>'|$%") + "".join(random.choices(PRINTABLE + "<&> |", k=random.randrange(13)))


def _value(random: Random, depth: int = 0) -> Any:
    """Make a value of any type that a PPR can say, nested at most twice."""
    kind = random.randrange(9 if depth < 2 else 6)
    several = range(random.randrange(4))
    match kind:
        case 0:
            return random.random() < 0.5
        case 1:
            return random.randrange(-(10**20), 10**20)
        case 2:
            return random.choice([0.0, -0.0, 1e300, 5e-324, float("inf"), random.gauss(0, 1)])
        case 3 | 4 | 5:
            return random.choice(["", "None", _text(random)])
        case 6:
            return [_value(random, depth + 1) for _ in several]
        case 7:
            return tuple(_value(random, depth + 1) for _ in several)
        case _:
            return {_text(random): _value(random, depth + 1) for _ in several}


def _pool(make: Callable[[Random], Any], is_fit: Callable[[Any], bool]) -> list[Any]:
    """Make 2000 values once: drawing from them is many times faster than drawing each character."""
    random = Random(20180501)
    return [value for value in (make(random) for _ in range(2000)) if is_fit(value)]


PRINTABLE = "".join(chr(code) for code in range(ord(" "), ord("~") + 1))
UIDS = st.integers(0, 2**36 - 1).map(lambda n: f"uid://A{n >> 24:03x}/X{n >> 12 & 4095:x}/X{n & 4095:x}")
TEXTS = st.sampled_from(_pool(_text, is_text))
FREE_TEXTS = st.none() | st.sampled_from(["", "天の川", "17", "true", *_pool(_text, is_text)])
VALUES = st.sampled_from(_pool(_value, is_value))


def _moment(milliseconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)


@st.composite
def summaries(draw: st.DrawFn) -> ProjectSummary:
    names = ("processing_site", "operator", "mode", "version")
    return ProjectSummary(
        proposal_code=draw(TEXTS),
        creation_time=draw(st.none() | st.integers(0, 2**42).map(_moment)),
        observatory=draw(TEXTS),
        telescope=draw(TEXTS),
        **{name: draw(FREE_TEXTS) for name in names},
    )


@st.composite
def commands(draw: st.DrawFn) -> Command:
    task = draw(st.sampled_from(sorted(known_tasks())))
    taken = sorted(known_tasks()[task].parameters)
    keywords = draw(st.lists(st.sampled_from(taken), unique=True, max_size=2)) if taken else []
    return Command(task=task, parameters=tuple(Parameter(keyword=keyword, value=draw(VALUES)) for keyword in keywords))


def is_run(made: list[Command]) -> bool:
    return any(command.task != BREAKPOINT for command in made)


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
            commands=tuple(draw(st.lists(commands(), min_size=1, max_size=3).filter(is_run))),
        ),
        sched_block=SchedBlock(
            **{
                **SCHED_BLOCK,
                "title": draw(FREE_TEXTS),
                "sched_block_uid": draw(st.none() | UIDS),
                "sb_status_uid": draw(st.none() | UIDS),
                "asdms": tuple(AsdmIdentifier.of(block) for block in chosen),
            }
        ),
    )


WHOLE = write_ppr(request()).decode()


def instead(old: str, new: str, times: int = -1) -> bytes:
    """Write the sample with another text somewhere."""
    assert old in WHOLE
    return WHOLE.replace(old, new, times).encode()


def within(tag: str) -> str:
    """Return an element of the sample as it is written, with all that is in it."""
    return WHOLE[WHOLE.index(f"<{tag}>") : WHOLE.index(f"</{tag}>") + len(f"</{tag}>")]

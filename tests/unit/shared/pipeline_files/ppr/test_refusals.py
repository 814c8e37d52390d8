"""Every rule of the processing request's model, with what breaks it; no rule is without a case."""

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from contracts.identifiers import ExecBlockUid
from contracts.reasons import ReasonCode
from shared.pipeline_files.ppr import (
    AsdmIdentifier,
    Command,
    Intent,
    Kind,
    Parameter,
    PprError,
    Procedure,
    ProjectStructure,
    ProjectSummary,
    SchedBlock,
    check_release,
    find_recipe,
    session_intents,
)
from tests.unit.shared.pipeline_files.ppr.sample_ppr import (
    FIRST,
    RESTORE,
    SCHED_BLOCK,
    SECOND,
    STRUCTURE,
    SUMMARY,
    THIRD,
    request,
)


def summary(**changes: Any) -> Callable[[], object]:
    return lambda: ProjectSummary(**{**SUMMARY, **changes})


def structure(**changes: Any) -> Callable[[], object]:
    return lambda: ProjectStructure(**{**STRUCTURE, **changes})


def block(**changes: Any) -> Callable[[], object]:
    return lambda: SchedBlock(**{**SCHED_BLOCK, **changes})


def procedure(title: str, *commands: Command) -> Callable[[], object]:
    return lambda: Procedure(title=title, commands=commands)


def command(task: str, **parameters: Any) -> Callable[[], object]:
    return lambda: Command(task=task, parameters=tuple(Parameter(keyword=k, value=v) for k, v in parameters.items()))


def release(casa: str, task: str, **parameters: Any) -> Callable[[], object]:
    def check() -> None:
        made = Command(task=task, parameters=tuple(Parameter(keyword=k, value=v) for k, v in parameters.items()))
        check_release(Procedure(title="hifa_restore", commands=(made,)), casa)

    return check


def intents(**values: Any) -> Callable[[], object]:
    return lambda: request(intents=tuple(Intent(keyword=keyword, value=value) for keyword, value in values.items()))


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def disk_name(name: str) -> Callable[[], object]:
    return lambda: AsdmIdentifier(exec_block_uid=FIRST, disk_name=name)


ONE_OF_EACH = f"{FIRST} | {THIRD}"
BROKEN: dict[str, tuple[str, Callable[[], object]]] = {
    "an empty project code": ("empty", summary(proposal_code="")),
    "an empty title": ("empty", structure(obs_unit_set_title="")),
    "an empty type": ("empty", structure(obs_unit_set_type="")),
    "an empty procedure title": ("empty", procedure("", RESTORE)),
    "an empty path": ("empty", block(relative_path="")),
    "an empty keyword": ("empty", lambda: Parameter(keyword="", value=1)),
    "a title that is an integer": ("cast", structure(obs_unit_set_title="123")),
    "a title that is a float": ("cast", structure(obs_unit_set_title="1e5")),
    "a title that is not a number": ("cast", structure(obs_unit_set_title="NaN")),
    "a title that is infinite": ("cast", structure(obs_unit_set_title="infinity")),
    "a title with a grouped number": ("cast", structure(obs_unit_set_title="1_000")),
    "a title that is true": ("cast", structure(obs_unit_set_title="TRUE")),
    "a title that is a list": ("cast", structure(obs_unit_set_title="['NGC 253']")),
    "a numeric procedure title": ("cast", procedure("42", RESTORE)),
    "a number as text": ("cast", command("hif_mstransform", spw="17")),
    "a truth value as text": ("cast", command("hifa_restoredata", copytoraw="False")),
    "a list as text": ("cast", command("hif_mstransform", field="[1, 2]")),
    "a value that is nothing": ("cast", command("hif_mstransform", field=None)),
    "a value that is never itself": ("cast", command("hif_mstransform", chanbin=float("nan"))),
    "a list with what is no literal": ("cast", command("hif_mstransform", chanbin=[float("inf")])),
    "a number with too many digits": ("unreadable", command("hif_mstransform", chanbin=10**5000)),
    "a list without end": ("unreadable", command("hif_mstransform", chanbin=nested(2000))),
    "a list deeper than older Pythons read": ("unreadable", command("hif_mstransform", chanbin=nested(99))),
    "a text with more brackets than older Pythons read": (
        "unreadable",
        command("hif_mstransform", field="a" + "(" * 99),
    ),
    "a text that ends Python's own reader": ("unreadable", command("hif_mstransform", field="-" * 4000 + "1")),
    "a dict that Python cannot make": ("unreadable", structure(obs_unit_set_title="{[]: 1}")),
    "a line end in a title": ("characters", structure(obs_unit_set_title="NGC\n253")),
    "a title that is not ASCII": ("characters", structure(obs_unit_set_title="天の川")),
    "a field that is not ASCII": ("characters", command("hif_mstransform", field="Ångström")),
    "a control character": ("characters", structure(obs_unit_set_title="NGC\x0b253")),
    "a half of a surrogate pair": ("characters", structure(obs_unit_set_title="NGC\ud800")),
    "a tab in the operator": ("characters", summary(operator="a\tb")),
    "a line end in the scheduling block's title": ("characters", block(title="a\nb")),
    "spaces before a title": ("padding", structure(obs_unit_set_title=" NGC 253")),
    "spaces after a command": ("padding", command("hifa_restoredata ")),
    "a UID in the file spelling": ("uid", structure(mous_uid="uid___A001_X1284_X265f")),
    "a UID in upper case": ("uid", structure(mous_uid="uid://A001/X1284/X265F")),
    "an unassigned UID": ("uid", block(sb_status_uid="UID_UNASSIGNED")),
    "a UID with a part": ("uid", structure(obs_project_uid="uid://A001/X1220/Xabc#1")),
    "a hexadecimal part id": ("part_id", structure(obs_unit_set_part_id="X64ab")),
    "a part id without its letter": ("part_id", structure(obs_unit_set_part_id="644753181")),
    "a time without a zone": ("creation_time", summary(creation_time=datetime(2018, 10, 1))),  # noqa: DTZ001  # the case itself
    "a time of another zone": (
        "creation_time",
        summary(creation_time=datetime(2018, 10, 1, tzinfo=timezone(timedelta(hours=1)))),
    ),
    "microseconds": ("creation_time", summary(creation_time=SUMMARY["creation_time"] + timedelta(microseconds=1))),
    "a session in lower case": ("session_key", intents(session_1=ONE_OF_EACH)),
    "a session with a leading zero": ("session_key", intents(SESSION_01=ONE_OF_EACH)),
    "a session 0": ("session_key", intents(SESSION_0=ONE_OF_EACH)),
    "a session without a number": ("session_key", intents(SESSION=ONE_OF_EACH)),
    "a gap in the sessions": ("session_gap", intents(SESSION_1=FIRST, SESSION_3=THIRD)),
    "sessions that begin at 2": ("session_gap", intents(SESSION_2=ONE_OF_EACH)),
    "a comma between UIDs": ("session_separator", intents(SESSION_1=f"{FIRST}, {THIRD}")),
    "a pipe without spaces": ("session_separator", intents(SESSION_1=f"{FIRST}|{THIRD}")),
    "two spaces": ("session_separator", intents(SESSION_1=f"{FIRST}  | {THIRD}")),
    "an open end": ("session_separator", intents(SESSION_1=f"{FIRST} |")),
    "a UID in upper case in a session": ("session_separator", intents(SESSION_1=str(FIRST).replace("c7", "C7"))),
    "a disk name in a session": ("session_separator", intents(SESSION_1=FIRST.file_form)),
    "a truth value as session": ("session_separator", intents(SESSION_1=True)),
    "a block in two sessions": ("session_repeats_block", intents(SESSION_1=ONE_OF_EACH, SESSION_2=THIRD)),
    "a block twice in a session": ("session_repeats_block", intents(SESSION_1=f"{FIRST} | {FIRST}")),
    "an intent twice": (
        "repeated_intent",
        lambda: request(intents=(*session_intents([(FIRST, THIRD)]), *session_intents([(FIRST, THIRD)]))),
    ),
    "a keyword of Python's": ("intent_keyword", intents(__class__="x", SESSION_1=ONE_OF_EACH)),
    "a block in no session": ("asdm_without_session", intents(SESSION_1=FIRST, SESSION_2="")),
    "no sessions at all": ("asdm_without_session", intents(PROCESS=True)),
    "a task of another time": ("unknown_task", command("hif_restoredata")),
    "a task that is none": ("unknown_task", command("import os")),
    "a parameter that the task lacks": ("unknown_parameter", command("hifa_restoredata", copytorow=False)),
    "a vis that would be overwritten": ("replaced_parameter", command("hifa_restoredata", vis=["a.ms"])),
    "a session that would be overwritten": ("replaced_parameter", command("hifa_restoredata", session=["session_2"])),
    "a parameter twice": (
        "repeated_parameter",
        lambda: Command(
            task="hifa_restoredata",
            parameters=(Parameter(keyword="lazy", value=True), Parameter(keyword="lazy", value=False)),
        ),
    ),
    "a procedure title with a path": ("procedure_title", procedure("../hifa_restore", RESTORE)),
    "a task of a later release": ("task_not_in_release", release("5.1", "hsd_restoredata")),
    "a task that is gone": ("task_not_in_release", release("6.6", "hif_uvcontfit")),
    "a parameter of a later release": ("parameter_not_in_release", release("5.4", "hif_mstransform", chanbin=2)),
    "a parameter that is gone": ("parameter_not_in_release", release("6.5", "hifa_renorm", apply=True)),
    "a list in a release that reads a text": ("value_not_in_release", release("5.6", "hif_mstransform", field=["a"])),
    "a tuple in a release that reads a text": ("value_not_in_release", release("5.6", "hif_mstransform", spw=(1, 2))),
    "a dict in a release that reads a text": ("value_not_in_release", release("6.2", "hif_mstransform", field={})),
    "a version without numbers": ("casa_version", release("pipeline", "hifa_restoredata")),
    "a release before all recipes": ("no_recipe", lambda: find_recipe(Kind.CALIMAGE, "4.7.2")),
    "a choice that a recipe does not leave": (
        "unknown_choice",
        lambda: find_recipe(Kind.DELIVER, "5.6").procedure(chosen={"timebin": "10s"}),
    ),
    "a time to average without its unit": (
        "choice_type",
        lambda: find_recipe(Kind.DELIVER, "6.6").procedure(chosen={"timebin": 10}),
    ),
    "channels to average that are no number": (
        "choice_type",
        lambda: find_recipe(Kind.DELIVER, "6.6").procedure(chosen={"chanbin": "4ch"}),
    ),
    "a layout of calibration that is not restored": (
        "unknown_choice",
        lambda: find_recipe(Kind.CAL, "6.2").procedure(copytoraw=True),
    ),
    "no commands": ("no_commands", procedure("hifa_restore")),
    "nothing but breakpoints": ("no_commands", procedure("hifa_restore", Command(task="breakpoint"))),
    "no ASDMs": ("no_asdms", block(asdms=())),
    "an ASDM twice": ("repeated_asdm", block(asdms=(AsdmIdentifier.of(SECOND), AsdmIdentifier.of(SECOND)))),
    "a disk name with .asdm.sdm": ("asdm_disk_name", disk_name(f"{FIRST.file_form}.asdm.sdm")),
    "a disk name with .ms": ("asdm_disk_name", disk_name(f"{FIRST.file_form}.ms")),
    "the disk name of another block": ("asdm_disk_name", disk_name(THIRD.file_form)),
    "the UID as disk name": ("asdm_disk_name", disk_name(FIRST)),
    "an absolute path": ("relative_path", block(relative_path="/data/a")),
    "a path that climbs": ("relative_path", block(relative_path="a/../../b")),
    "a path that ends in a slash": ("relative_path", block(relative_path="a/")),
}


@pytest.mark.parametrize(("rule", "make"), BROKEN.values(), ids=BROKEN)
def test_a_request_that_would_be_misread_cannot_be_made(rule: str, make: Callable[[], object]) -> None:
    with pytest.raises(PprError) as refused:
        make()

    assert refused.value.rule == rule
    assert refused.value.reason is ReasonCode.PPR_INVALID


def test_a_refusal_says_what_the_pipeline_would_have_done() -> None:
    with pytest.raises(PprError, match=r"SESSION_2 is missing: the pipeline stops there .*\[session_gap\]"):
        request(intents=(Intent(keyword="SESSION_1", value=FIRST), Intent(keyword="SESSION_3", value=THIRD)))


def test_a_request_knows_the_session_of_its_blocks_only() -> None:
    with pytest.raises(KeyError):
        request().session_of(ExecBlockUid("uid://A002/X1/X2"))


@pytest.mark.parametrize("title", ["[OIII] survey", "(1)", "{1, 2}", "(see text", "1 + 1", "'a'", "uid://A001/X1/X2"])
def test_a_title_that_only_begins_like_something_else_is_a_title(title: str) -> None:
    assert structure(obs_unit_set_title=title)() is not None

"""What the pipeline does with a request is foretold, also with requests that nobody should write."""

import re

import pytest
from hypothesis import given, settings

from shared.pipeline_files.ppr import PprError, ProcessingRequest, write_ppr
from shared.pipeline_files.ppr.foresight import foresee
from shared.pipeline_files.ppr.reading import Ending
from tests.support.pipeline_view import look
from tests.unit.shared.pipeline_files.ppr.sample_ppr import FIRST, THIRD, instead, request, requests, within


@given(requests())
@settings(max_examples=100, deadline=None)
def test_of_a_valid_request_nothing_is_noted_and_all_is_seen(made: ProcessingRequest) -> None:
    data = write_ppr(made)

    foresight = foresee(data)

    seen = look(data)
    assert (foresight.ending, foresight.notes) == (Ending.RUNS, ())
    assert foresight.sessions == seen.sessions
    assert foresight.relative_path == seen.path
    assert foresight.structure["OUSStatusRef/entityId"] == seen.mous_uid
    assert [(step.task, step.parameters) for step in foresight.steps] == [
        task for task in seen.tasks if task[0] != "breakpoint"
    ]


SECOND_COMMAND = "<ProcessingCommand><Command>hifa_exportdata</Command><ParameterSet/></ProcessingCommand>"
ENDS: dict[str, tuple[Ending, str, bytes]] = {
    "no structure": (Ending.QUIET, "ProjectStructure", instead(within("ProjectStructure"), "")),
    "an empty project code": (Ending.QUIET, "ProposalCode> in line .* is empty", instead("2017.1.00886.L<", "<")),
    "an empty title": (
        Ending.QUIET,
        "ObsUnitSetTitle",
        instead(">Undefined</ObsUnitSetTitle>", "/>").replace(b'<ObsUnitSetTitle xmlns=""/>', b"<ObsUnitSetTitle/>"),
    ),
    "a numeric title": (
        Ending.CRASH,
        "ObsUnitSetTitle is read as 123",
        instead("Undefined</ObsUnitSetTitle>", "123</ObsUnitSetTitle>"),
    ),
    "a numeric name of the procedure": (Ending.CRASH, "ProcedureTitle is read as 7", instead(">hifa_restore<", ">7<")),
    "two requests": (
        Ending.QUIET,
        "2 ProcessingRequests",
        instead(within("ProcessingRequest"), within("ProcessingRequest") * 2),
    ),
    "no request": (Ending.QUIET, "no ProcessingRequest", instead(within("ProcessingRequest"), "")),
    "two scheduling blocks": (
        Ending.QUIET,
        "2 <SchedBlockIdentifier>",
        instead(within("SchedBlockIdentifier"), within("SchedBlockIdentifier") * 2),
    ),
    "two sets of scheduling blocks": (
        Ending.QUIET,
        "2 <SchedBlockSet>",
        instead(within("SchedBlockSet"), within("SchedBlockSet") * 2),
    ),
    "no commands": (Ending.QUIET, "no command", instead(within("ProcessingCommand"), "")),
    "one command without its ParameterSet": (
        Ending.QUIET,
        "command 1 of 1 is lost",
        instead(within("ParameterSet"), ""),
    ),
    "no ASDM": (
        Ending.QUIET,
        "no ASDM",
        instead("<AsdmDiskName>", "<AsdmName>").replace(b"/AsdmDiskName", b"/AsdmName"),
    ),
    "a path that is a number": (
        Ending.QUIET,
        "RelativePath is read as 2017.1",
        instead(request().sched_block.relative_path, "2017.1"),
    ),
    "an element with a name that Python cannot have": (
        Ending.QUIET,
        "called Site.Name",
        instead("<Telescope", "<Site.Name>x</Site.Name><Telescope"),
    ),
    "a type that is a number": (
        Ending.CRASH,
        "OUSStatusRef/entityTypeName is read as 7",
        instead('entityTypeName="OUSStatus"', 'entityTypeName="7"'),
    ),
    "a keyword of Python's": (
        Ending.CRASH,
        "the intent __class__",
        instead(">PROCESS<", ">__class__<"),
    ),
    "a keyword that is a number": (Ending.CRASH, "Keyword of intent 1 is read as 7", instead(">PROCESS<", ">7<")),
    "a command that is a number": (Ending.CRASH, "7, not a text", instead(">hifa_restoredata<", ">7<")),
    "a parameter that is a number": (Ending.CRASH, "7, not a text", instead(">copytoraw<", ">7<")),
    "a disk name that is a number": (
        Ending.CRASH,
        "AsdmDiskName of ASDM 1 is read as 7",
        instead(f">{FIRST.file_form}<", ">7<"),
    ),
    "a session that is a number": (
        Ending.CRASH,
        "SESSION_1 is read as 7",
        instead(f"{FIRST} | uid://A002/Xc7111c/X409e", "7"),
    ),
}


@pytest.mark.parametrize(("ending", "said", "data"), ENDS.values(), ids=ENDS)
def test_requests_that_end_the_pipeline_are_known(ending: Ending, said: str, data: bytes) -> None:
    foresight = foresee(data)

    assert foresight.ending is ending
    assert any(re.search(said, note) for note in foresight.notes), foresight.notes


def test_commands_after_one_without_a_set_of_parameters_are_lost() -> None:
    cut = f"<ProcessingCommand><Command>hif_mstransform</Command></ProcessingCommand>{SECOND_COMMAND}"

    foresight = foresee(instead("</ProcessingProcedure>", f"{cut}</ProcessingProcedure>"))

    assert [step.task for step in foresight.steps] == ["hifa_restoredata"]
    assert foresight.notes == ("command 2 of 3 is lost with all after it: hif_mstransform has no ParameterSet",)


def test_sessions_after_a_gap_are_lost_and_their_blocks_go_to_the_first() -> None:
    foresight = foresee(instead("SESSION_2", "SESSION_4"))

    assert foresight.sessions == {FIRST.file_form: "session_1", THIRD.file_form: "session_1"}
    assert foresight.notes[0] == "not seen as sessions, since there is no SESSION_2: SESSION_4, SESSION_3"


def test_a_block_that_no_session_names_is_taken_for_one_of_the_first() -> None:
    foresight = foresee(instead(f"{FIRST} | ", f"{FIRST}, "))

    assert foresight.sessions[FIRST.file_form] == "session_1"
    assert "is named by no session that is read" in foresight.notes[0]


def test_a_comment_makes_a_value_empty() -> None:
    foresight = foresee(instead("<Value>False</Value>", "<Value>False<!-- or not --></Value>"))

    assert foresight.steps[0].parameters == {"copytoraw": ""}
    assert "counts as empty" in foresight.notes[0]


def test_what_a_task_does_not_take_is_dropped_and_vis_is_replaced() -> None:
    extra = "".join(
        f"<Parameter><Keyword>{key}</Keyword><Value>x</Value></Parameter>" for key in ("copytorow", "vis", "copytoraw")
    )

    foresight = foresee(instead("</ParameterSet>", f"{extra}</ParameterSet>"))

    assert foresight.steps[0].parameters == {"copytoraw": "x"}
    assert foresight.notes == (
        "hifa_restoredata: copytoraw stands there twice: the last counts",
        "hifa_restoredata: vis is replaced with what the data set says",
        "hifa_restoredata does not take copytorow: older pipelines drop it without a word, that of 2025 ends there",
    )


def test_values_are_shown_as_the_types_that_reach_the_task() -> None:
    extra = "".join(
        f"<Parameter><Keyword>{key}</Keyword><Value>{value}</Value></Parameter>"
        for key, value in (("asis", "17"), ("lazy", "TRUE"), ("ocorr_mode", "[ca"))
    )

    parameters = foresee(instead("</ParameterSet>", f"{extra}</ParameterSet>")).steps[0].parameters

    assert parameters == {"copytoraw": False, "asis": 17, "lazy": True, "ocorr_mode": "[ca"}


def test_a_measurement_set_finds_its_session() -> None:
    foresight = foresee(instead(f"<AsdmDiskName>{THIRD.file_form}<", f"<AsdmDiskName>{THIRD.file_form}_target.ms<"))

    assert foresight.sessions[f"{THIRD.file_form}_target.ms"] == "session_3"


def test_an_unknown_task_is_named_and_a_breakpoint_passed_over() -> None:
    commands = SECOND_COMMAND.replace("hifa_exportdata", "hifa_polcal") + SECOND_COMMAND.replace(
        "hifa_exportdata", "breakpoint"
    )

    foresight = foresee(instead("</ProcessingProcedure>", f"{commands}</ProcessingProcedure>"))

    assert [step.task for step in foresight.steps] == ["hifa_restoredata", "hifa_polcal"]
    assert "hifa_polcal is no task that is known here; a pipeline without it ends there" in foresight.notes[0]


def test_an_unknown_task_that_is_the_first_crashes_the_pipeline() -> None:
    assert "older ones crash" in foresee(instead("hifa_restoredata", "hif_restoredata")).notes[0]


@pytest.mark.parametrize("path", ["/data/a", "a/../../b"])
def test_a_folder_out_of_the_root_is_noted(path: str) -> None:
    assert "leads out" in foresee(instead(request().sched_block.relative_path, path)).notes[0]


@pytest.mark.parametrize("data", [b"", b"<a/>", b"<!DOCTYPE a><SciPipeRequest/>"])
def test_what_is_no_request_is_refused(data: bytes) -> None:
    with pytest.raises(PprError, match="xml"):
        foresee(data)


def test_two_references_in_the_old_place_leave_the_new_one() -> None:
    old = '<OUSStatusRef entityId="uid://A001/X1/X2"/>' * 2

    assert foresee(instead("<AlmaStructure>", f"{old}<AlmaStructure>")).ending is Ending.RUNS


def test_a_keyword_that_is_a_list_ends_the_list_of_intents() -> None:
    foresight = foresee(instead(">SESSION_3<", ">[1]<"))

    assert foresight.sessions[THIRD.file_form] == "session_1"
    assert foresight.notes[0] == "intent 4 of 4 is lost: its Keyword is read as [1]"


def test_commands_after_one_whose_name_is_a_number_are_lost() -> None:
    commands = SECOND_COMMAND.replace("hifa_exportdata", "7") + SECOND_COMMAND

    foresight = foresee(instead("</ProcessingProcedure>", f"{commands}</ProcessingProcedure>"))

    assert [step.task for step in foresight.steps] == ["hifa_restoredata"]
    assert "command 2 of 3 is lost with all after it: 7, not a text" in foresight.notes[0]


def test_nothing_but_breakpoints_runs_nothing() -> None:
    foresight = foresee(instead(within("Command"), "<Command>breakpoint</Command>").replace(b"copytoraw", b"lazy"))

    assert "there are only breakpoints, and nothing is run" in foresight.notes
    assert foresight.steps == ()

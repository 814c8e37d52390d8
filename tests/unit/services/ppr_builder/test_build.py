"""The request for one block of the demo's MOUS, as it is stored.

``UPDATE_GOLDENS=1 pytest tests/unit/services/ppr_builder`` writes the golden files anew; read the difference.
"""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from contracts.identifiers import ExecBlockUid, SessionName
from contracts.messages.parts import MousStructure, Session
from services.ppr_builder.build import file_name, processing_request, relative_path, restore_request, usable_title
from shared.pipeline_files.ppr import Kind, PprError, ProcessingRequest, find_recipe, read_ppr, write_ppr
from shared.pipeline_files.ppr.recipes import all_recipes
from tests.unit.services.ppr_builder.demo import ALL, DEMO, FIRST, FOURTH, SECOND, THIRD

GOLDEN = Path(__file__).parents[3] / "golden" / "ppr"
CASA = "6.6.6-17"
CREATED = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)

PPR = "Alma/pipelinescience/SciPipeRequest"
# Of every element: the path to it, and the namespace if it is not the PPR's own ("" is none).
SKELETON = (
    ("SciPipeRequest", PPR),
    ("SciPipeRequestEntity", PPR),
    ("ProjectSummary", PPR),
    ("ProposalCode", ""),
    ("Observatory", ""),
    ("Telescope", ""),
    ("ProcessingSite", ""),
    ("Operator", ""),
    ("Mode", ""),
    ("Version", ""),
    ("CreationTime", ""),
    ("ProjectStructure", PPR),
    ("AlmaStructure", PPR),
    ("ObsUnitSetRef", "Alma/ObsPrep/ObsProject"),
    ("ObsUnitSetTitle", ""),
    ("ObsUnitSetType", ""),
    ("ProjectStatusRef", "Alma/Scheduling/ProjectStatus"),
    ("OUSStatusRef", "Alma/Scheduling/OUSStatus"),
    ("ProcessingRequests", PPR),
    ("ProcessingRequest", PPR),
    ("ProcessingIntents", PPR),
    *((("Intents", PPR), ("Keyword", ""), ("Value", "")) * 5),
    ("ProcessingProcedure", PPR),
    ("ProcedureTitle", PPR),
    ("ProcessingCommand", PPR),
    ("Command", PPR),
    ("ParameterSet", PPR),
    ("Parameter", PPR),
    ("Keyword", PPR),
    ("Value", PPR),
    ("DataSet", PPR),
    ("SchedBlockSet", PPR),
    ("SchedBlockIdentifier", PPR),
    ("RelativePath", ""),
    ("SchedBlockRef", "Alma/ObsPrep/SchedBlock"),
    ("SBStatusRef", "Alma/Scheduling/SBStatus"),
    ("SBTitle", ""),
    ("AsdmIdentifier", PPR),
    ("AsdmRef", "Alma/ValueTypes"),
    ("ExecBlockId", "Alma/ValueTypes"),
    ("AsdmDiskName", PPR),
    ("ResultsProcessing", PPR),
    ("ArchiveResults", ""),
    ("CleanUpDisk", ""),
    ("UpdateProjectLifeCycle", ""),
    ("NotifyOperatorWhenDone", ""),
    ("PipelineOperatorAdress", ""),
)


def data(eb_uid: ExecBlockUid) -> bytes:
    return write_ppr(restore_request(DEMO, eb_uid, casa_version=CASA, created=CREATED))


@pytest.mark.parametrize("eb_uid", [FIRST, THIRD], ids=["session_1", "session_3"])
def test_the_request_is_the_golden_one(eb_uid: ExecBlockUid) -> None:
    golden = GOLDEN / f"restore_{eb_uid.file_form}.xml"
    if os.environ.get("UPDATE_GOLDENS"):
        golden.write_bytes(data(eb_uid))

    assert data(eb_uid) == golden.read_bytes()


ONE_SESSION = DEMO.model_copy(
    update={"sessions": (Session(name=SessionName.numbered(1), execution_blocks=(FIRST, SECOND)),)}
)


def made(
    kind: Kind,
    blocks: Sequence[ExecBlockUid],
    casa: str = CASA,
    structure: MousStructure = DEMO,
    **choices: Any,
) -> ProcessingRequest:
    recipe = find_recipe(kind, casa)
    return processing_request(
        structure,
        blocks,
        procedure=recipe.procedure(**choices),
        observing_mode=recipe.intent,
        created=CREATED,
    )


CHOICES: dict[Kind, dict[str, Any]] = {
    Kind.DELIVER: {"chosen": {"field": "HLX_Target", "spw": "0,1", "intent": "TARGET", "chanbin": 4, "timebin": "10s"}}
}
OLDEST = {kind: recipes[0].casa for kind, recipes in all_recipes().items()}
KINDS = {
    **{f"{kind}_all": made(kind, ALL, **CHOICES.get(kind, {})) for kind in Kind},
    **{f"{kind}_one_casa_{OLDEST[kind]}": made(kind, [THIRD], OLDEST[kind]) for kind in Kind},
    **{f"{kind}_one_session": made(kind, [FIRST, SECOND], structure=ONE_SESSION) for kind in Kind},
    **{f"{kind}_one_session_one": made(kind, [SECOND], structure=ONE_SESSION) for kind in Kind},
}
KINDS["restore_all_old_layout"] = made(Kind.RESTORE, ALL, "5.1.1-5", copytoraw=True)


@pytest.mark.parametrize("name", KINDS)
def test_requests_of_every_kind_are_the_golden_ones(name: str) -> None:
    golden = GOLDEN / f"{name}.xml"
    data = write_ppr(KINDS[name])
    if os.environ.get("UPDATE_GOLDENS"):
        golden.write_bytes(data)

    assert data == golden.read_bytes()
    assert read_ppr(data) == KINDS[name]


@pytest.mark.parametrize("name", KINDS)
def test_sessions_keep_their_numbers_whatever_is_done_with_however_many_blocks(name: str) -> None:
    request = KINDS[name]

    assert len(request.sessions) == (1 if "one_session" in name else 3)
    assert request.sessions[1:2] in {(), ((),)}
    assert {block: request.session_of(block) for block in request.execution_blocks} == {
        block: DEMO.session_of(block) for block in request.execution_blocks
    }


def test_blocks_stand_in_the_order_of_their_sessions_however_they_are_named() -> None:
    assert made(Kind.RESTORE, [FOURTH, FIRST]).execution_blocks == (FIRST, FOURTH)


def test_a_calibration_of_single_dish_is_restored_as_single_dish() -> None:
    request = restore_request(DEMO, FIRST, casa_version=CASA, calibrated_by="hsd_calimage", created=CREATED)

    assert [command.task for command in request.procedure.commands] == ["hsd_restoredata"]
    assert request.intents[-1].keyword == "SINGLEDISH_STANDARD_OBSERVING_MODE"


def test_no_golden_file_is_left_over() -> None:
    of_single_blocks = {f"restore_{eb_uid.file_form}" for eb_uid in (FIRST, THIRD)}

    assert {path.stem for path in GOLDEN.glob("*.xml")} == set(KINDS) | of_single_blocks


def test_elements_stand_in_almas_order_and_namespaces() -> None:
    elements = [etree.QName(element) for element in etree.fromstring(data(THIRD)).iter()]

    assert [(name.localname, name.namespace or "") for name in elements] == list(SKELETON)


def test_every_block_stands_alone_in_its_own_session() -> None:
    requests = [restore_request(DEMO, eb_uid, casa_version=CASA, created=CREATED) for eb_uid in ALL]

    assert [request.execution_blocks for request in requests] == [(eb_uid,) for eb_uid in ALL]
    assert [request.session_of(eb_uid) for request, eb_uid in zip(requests, ALL, strict=True)] == [
        "session_1",
        "session_1",
        "session_3",
        "session_3",
    ]
    assert {len(request.sessions) for request in requests} == {3}


def test_a_request_restores_from_rawdata_and_does_nothing_else() -> None:
    (command,) = restore_request(DEMO, FIRST, casa_version=CASA, created=CREATED).procedure.commands

    assert command.task == "hifa_restoredata"
    assert [(each.keyword, each.value) for each in command.parameters] == [("copytoraw", False)]


def test_the_folder_is_named_as_pipeline_make_request_names_it() -> None:
    assert relative_path(DEMO, CREATED) == (
        "2017.1.00886.L_2026_01_02T03_04_05.678/SOUS_uid___A001_X1284_X265d"
        "/GOUS_uid___A001_X1284_X265e/MOUS_uid___A001_X1284_X265f"
    )


def test_the_file_is_named_after_the_status_of_the_scheduling_block() -> None:
    assert file_name(DEMO) == "PPR_uid___A001_X1284_X2660.xml"


@pytest.mark.parametrize("title", ["", "123", "1e5", "true", " NGC 253", "a\nb", "['OIII']", "nan", "天の川"])
def test_a_title_that_would_be_misread_gives_way(title: str) -> None:
    assert usable_title(title) == "Undefined"


@pytest.mark.parametrize("title", ["NGC 253", "Member OUS (HLX-1)", "<&>"])
def test_other_titles_stay(title: str) -> None:
    assert usable_title(title) == title


def test_a_block_that_no_session_holds_has_no_request() -> None:
    structure = DEMO.model_copy(update={"sessions": tuple(Session(name=each.name) for each in DEMO.sessions)})

    with pytest.raises(PprError, match="asdm_without_session"):
        restore_request(structure, FIRST, casa_version=CASA, created=CREATED)

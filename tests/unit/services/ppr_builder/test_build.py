"""The request for one block of the demo's MOUS, as it is stored.

``UPDATE_GOLDENS=1 pytest tests/unit/services/ppr_builder`` writes the golden files anew; read the difference.
"""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from lxml import etree

from contracts.identifiers import ExecBlockUid
from contracts.messages.parts import Session
from services.ppr_builder.build import file_name, relative_path, restore_request, usable_title
from shared.pipeline_files.ppr import PprError, write_ppr
from tests.unit.services.ppr_builder.demo import ALL, DEMO, FIRST, THIRD

GOLDEN = Path(__file__).parents[3] / "golden" / "ppr"
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
    return write_ppr(restore_request(DEMO, eb_uid, created=CREATED))


@pytest.mark.parametrize("eb_uid", [FIRST, THIRD], ids=["session_1", "session_3"])
def test_the_request_is_the_golden_one(eb_uid: ExecBlockUid) -> None:
    golden = GOLDEN / f"restore_{eb_uid.file_form}.xml"
    if os.environ.get("UPDATE_GOLDENS"):
        golden.write_bytes(data(eb_uid))

    assert data(eb_uid) == golden.read_bytes()


def test_elements_stand_in_almas_order_and_namespaces() -> None:
    elements = [etree.QName(element) for element in etree.fromstring(data(THIRD)).iter()]

    assert [(name.localname, name.namespace or "") for name in elements] == list(SKELETON)


def test_every_block_stands_alone_in_its_own_session() -> None:
    requests = [restore_request(DEMO, eb_uid, created=CREATED) for eb_uid in ALL]

    assert [request.execution_blocks for request in requests] == [(eb_uid,) for eb_uid in ALL]
    assert [request.session_of(eb_uid) for request, eb_uid in zip(requests, ALL, strict=True)] == [
        "session_1",
        "session_1",
        "session_3",
        "session_3",
    ]
    assert {len(request.sessions) for request in requests} == {3}


def test_a_request_restores_from_rawdata_and_does_nothing_else() -> None:
    (command,) = restore_request(DEMO, FIRST, created=CREATED).procedure.commands

    assert command.task == "hifa_restoredata"
    assert [(each.keyword, each.value) for each in command.parameters] == [("copytoraw", False)]


def test_the_folder_is_named_as_pipeline_make_request_names_it() -> None:
    assert relative_path(DEMO, CREATED) == (
        "2017.1.00886.L_2026_01_02T03_04_05.678/SOUS_uid___A001_X1284_X265d"
        "/GOUS_uid___A001_X1284_X265e/MOUS_uid___A001_X1284_X265f"
    )


def test_the_file_is_named_after_the_status_of_the_scheduling_block() -> None:
    assert file_name(DEMO) == "PPR_uid___A001_X1284_X2660.xml"


@pytest.mark.parametrize("title", ["", "123", "1e5", "true", " NGC 253", "a\nb", "[OIII]", "nan", "天の川"])
def test_a_title_that_would_be_misread_gives_way(title: str) -> None:
    assert usable_title(title) == "Undefined"


@pytest.mark.parametrize("title", ["NGC 253", "Member OUS (HLX-1)", "<&>"])
def test_other_titles_stay(title: str) -> None:
    assert usable_title(title) == title


def test_a_block_that_no_session_holds_has_no_request() -> None:
    structure = DEMO.model_copy(update={"sessions": tuple(Session(name=each.name) for each in DEMO.sessions)})

    with pytest.raises(PprError, match="asdm_without_session"):
        restore_request(structure, FIRST, created=CREATED)

"""What is written is what is read, by us and by the pipeline's rules."""

import time

from hypothesis import given, settings

from contracts.identifiers import ExecBlockUid
from shared.pipeline_files.ppr import (
    AsdmIdentifier,
    ProcessingRequest,
    SchedBlock,
    read_ppr,
    session_intents,
    write_ppr,
)
from tests.support.pipeline_view import look
from tests.unit.shared.pipeline_files.ppr.sample_ppr import SCHED_BLOCK, request, requests


@given(requests())
@settings(max_examples=400, deadline=None)
def test_a_written_request_reads_back_as_the_same_and_writes_the_same_bytes(made: ProcessingRequest) -> None:
    data = write_ppr(made)

    again = read_ppr(data)

    assert again == made
    assert write_ppr(again) == data


@given(requests())
@settings(max_examples=100, deadline=None)
def test_the_pipeline_sees_what_the_model_says(made: ProcessingRequest) -> None:
    seen = look(write_ppr(made))

    assert seen.mous_uid == made.structure.mous_uid
    assert seen.path == made.sched_block.relative_path
    assert seen.sessions == {block.file_form: made.session_of(block) for block in made.execution_blocks}
    assert seen.tasks == [
        (command.task, {parameter.keyword: parameter.value for parameter in command.parameters})
        for command in made.procedure.commands
    ]


def test_text_tools_find_the_mous_and_the_asdms_by_line() -> None:
    lines = write_ppr(request()).decode().splitlines()

    (ous,) = [line for line in lines if "OUSStatusRef" in line]
    disks = [line.strip() for line in lines if "<AsdmDiskName>" in line]

    assert ous.split('"')[1] == "uid://A001/X1284/X265f"
    assert disks == [
        "<AsdmDiskName>uid___A002_Xc7111c_X3979</AsdmDiskName>",
        "<AsdmDiskName>uid___A002_Xc7111c_X86a7</AsdmDiskName>",
    ]


def test_two_hundred_blocks_in_a_hundred_sessions_take_milliseconds() -> None:
    sessions = [[ExecBlockUid(f"uid://A002/X{number:x}/X{place:x}") for place in range(2)] for number in range(1, 101)]
    blocks = tuple(AsdmIdentifier.of(block) for session in sessions for block in session)

    started = time.perf_counter()
    data = write_ppr(
        request(intents=session_intents(sessions), sched_block=SchedBlock(**{**SCHED_BLOCK, "asdms": blocks}))
    )
    written = time.perf_counter()
    again = read_ppr(data)
    read = time.perf_counter()

    assert len(again.execution_blocks) == 200
    # A generous bound, so that only a change of order is noticed and not a busy machine.
    assert written - started < 0.5
    assert read - written < 0.5

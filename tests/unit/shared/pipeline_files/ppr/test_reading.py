"""Requests of others are read, with whatever the pipeline can do without."""

import re

import pytest

from shared.pipeline_files.ppr import read_ppr, write_ppr
from tests.unit.shared.pipeline_files.ppr.sample_ppr import WHOLE, instead, request


def test_the_layout_without_an_alma_structure_is_read() -> None:
    old = instead("<AlmaStructure>", "").replace(b"</AlmaStructure>", b"")

    assert read_ppr(old) == request()


DISPENSABLE = (
    "ProcessingSite",
    "Operator",
    "Mode",
    "Version",
    "CreationTime",
    "ns4:SchedBlockRef",
    "ns5:SBStatusRef",
    "SBTitle",
    "ProcedureTitle",
)


def without(text: str, tag: str) -> str:
    return re.sub(rf"<{tag}( [^>]*)?(/>|>.*?</{tag}>)", "", text, flags=re.DOTALL)


@pytest.mark.parametrize("tag", [*DISPENSABLE, "ResultsProcessing"])
def test_what_the_pipeline_can_do_without_may_be_missing(tag: str) -> None:
    lacking = without(WHOLE, tag).encode()
    assert lacking != WHOLE.encode()

    made = read_ppr(lacking)

    assert read_ppr(write_ppr(made)) == made


def test_a_request_made_by_hand_with_nothing_to_spare_is_read() -> None:
    bare = WHOLE
    for tag in DISPENSABLE:
        bare = without(bare, tag)

    made = read_ppr(bare.encode())

    assert (made.summary.creation_time, made.sched_block.title, made.procedure.title) == (None, None, "Undefined")
    assert made.sessions == request().sessions


def test_a_missing_value_is_an_empty_one() -> None:
    made = read_ppr(instead("<Value>False</Value>", ""))

    assert made.procedure.commands[0].parameters[0].value == ""


@pytest.mark.parametrize("text", ["2018-10-01T12:00:00", "2018-10-01T12:00:00.000Z", "2018-10-01T14:00:00+02:00"])
def test_times_of_creation_are_read_as_they_come(text: str) -> None:
    assert read_ppr(instead("2018-10-01T12:00:00.000", text)).summary == request().summary


def test_comments_between_elements_and_other_prefixes_do_no_harm() -> None:
    text = instead("<ProjectSummary>", "<!-- made by hand --><ProjectSummary>").replace(b"ns7", b"val")

    assert read_ppr(text) == request()

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from contracts.identifiers import ExecBlockUid
from observatory.metadata_demo import EMPTY_FIRST_SESSION, MOUS, NO_END_TIME
from observatory.metadata_status import END_NOT_KNOWN, status_document
from services.metadata_resolver.facts import ExecutionBlock
from services.metadata_resolver.ous_status import OusStatusError, read_sessions
from services.metadata_resolver.sessions import disagreement, number_sessions, sessions_from_tables

A, B, C = (ExecBlockUid(f"uid://A002/X1/X{number}") for number in (1, 2, 3))
START = datetime(2018, 10, 1, 8, 0, tzinfo=UTC)


def block(uid: ExecBlockUid, session: str | None, hour: int, *, end: int | None = None) -> ExecutionBlock:
    return ExecutionBlock(
        uid=uid,
        sched_block_uid="uid://A001/X1/X1",
        session_id=session,
        passed_qa0=True,
        start_time=START + timedelta(hours=hour),
        session_end_time=None if end is None else START + timedelta(hours=end),
    )


def document(*sessions: str) -> str:
    return f'<OUSStatus xmlns="Alma/Scheduling/OUSStatus">{"".join(sessions)}</OUSStatus>'


def test_sessions_are_numbered_in_stored_order_with_the_empty_ones() -> None:
    sessions = number_sessions([(B,), (), (A, C)], passed=(A, B, C))
    assert [(session.name, session.execution_blocks) for session in sessions] == [
        ("session_1", (B,)),
        ("session_2", ()),
        ("session_3", (A, C)),
    ]


def test_a_session_whose_blocks_all_failed_stays_as_an_empty_one() -> None:
    sessions = number_sessions([(A,), (B, C)], passed=(C,))
    assert [session.execution_blocks for session in sessions] == [(), (C,)]


def test_blocks_that_are_all_in_one_session_each_agree() -> None:
    assert disagreement(number_sessions([(A,), (), (B,)], passed=(A, B)), (A, B)) is None


def test_a_passed_block_in_no_session_disagrees_and_both_lists_are_shown() -> None:
    fault = disagreement(number_sessions([(A,), ()], passed=(A, B)), (A, B))
    assert fault == f"in no session: {B}. Sessions: session_1 = {A}; session_2 = empty. QA0 Pass: {A} {B}"


def test_a_block_in_two_sessions_disagrees() -> None:
    fault = disagreement(number_sessions([(A,), (A, B)], passed=(A, B)), (A, B))
    assert fault is not None
    assert fault.startswith(f"in several sessions: {A}")


def test_the_document_of_the_golden_mous_gives_two_sessions_and_an_empty_one_between() -> None:
    assert [len(session) for session in read_sessions(status_document(MOUS), MOUS.uid)] == [2, 0, 2]


def test_an_empty_first_session_is_kept() -> None:
    stored = read_sessions(status_document(EMPTY_FIRST_SESSION), EMPTY_FIRST_SESSION.uid)
    assert stored == [(), (EMPTY_FIRST_SESSION.blocks[0].uid,)]


def test_an_end_time_that_is_not_known_yet_is_no_fault() -> None:
    text = status_document(NO_END_TIME)
    assert END_NOT_KNOWN in text
    assert read_sessions(text, NO_END_TIME.uid) == [(NO_END_TIME.blocks[0].uid,)]


@pytest.mark.parametrize(
    "reference",
    [
        f'<ExecBlockRef ExecBlockId="{A}"/>',
        f"<ExecBlockRef><ExecBlockId>{A}</ExecBlockId></ExecBlockRef>",
        f'<v:ExecBlockRef xmlns:v="Alma/ValueTypes"><v:ExecBlockId>{A}</v:ExecBlockId></v:ExecBlockRef>',
        f"<ExecBlockRef> {A} </ExecBlockRef>",
    ],
)
def test_a_block_is_read_as_attribute_or_element_in_whatever_namespace(reference: str) -> None:
    assert read_sessions(document(f"<Session>{reference}</Session>"), MOUS.uid) == [(A,)]


def test_a_declaration_and_a_byte_order_mark_do_not_disturb() -> None:
    text = '\ufeff<?xml version="1.0" encoding="ISO-8859-1"?>' + document("<!-- \u00e9 --><Session/>")
    assert read_sessions(text, MOUS.uid) == [()]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("<OUSStatus>", "not well-formed"),
        ("<SBStatus/>", "the root element is SBStatus"),
        (document('<OUSStatusEntity entityId="uid://A001/X1/X2"/>'), r"that of uid://A001/X1/X2"),
        (document("<Session><ExecBlockRef/></Session>"), "not an ALMA UID"),
        ('<!DOCTYPE OUSStatus [<!ENTITY e "x">]>' + document("<Session/>"), "DOCTYPE"),
        (document("<Session>" + " " * 5_000_000 + "</Session>"), "bytes"),
    ],
)
def test_an_unreadable_document_says_what_is_wrong_and_where(text: str, complaint: str) -> None:
    with pytest.raises(OusStatusError, match=complaint) as raised:
        read_sessions(text, MOUS.uid)
    assert MOUS.uid in str(raised.value)
    assert len(str(raised.value)) < 500


def test_sessions_of_the_tables_stand_in_order_of_their_ends() -> None:
    blocks = [block(A, "s9", 5, end=6), block(B, "s1", 9, end=11), block(C, "s9", 4, end=6)]
    assert sessions_from_tables(blocks) == [(C, A), (B,)]


def test_a_session_without_end_stands_by_its_first_block() -> None:
    blocks = [block(A, "s1", 5), block(B, "s2", 1, end=2), block(C, "s3", 9, end=10)]
    assert sessions_from_tables(blocks) == [(B,), (A,), (C,)]


def test_a_session_without_any_time_comes_last() -> None:
    timeless = replace(block(A, "s1", 0), start_time=None)
    assert sessions_from_tables([timeless, block(B, "s2", 1, end=2)]) == [(B,), (A,)]


def test_a_block_without_session_is_in_none() -> None:
    assert sessions_from_tables([block(A, None, 1), block(B, "s2", 1)]) == [(B,)]

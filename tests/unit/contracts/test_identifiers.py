"""Identifiers read both spellings and keep one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from contracts.identifiers import EntityUid, InvalidIdentifierError, MousUid, ProjectCode, SessionName

hexadecimal = st.text("0123456789abcdef", min_size=1, max_size=8)
uids = st.builds(
    "uid://A{}/X{}/X{}".format, st.text("0123456789abcdef", min_size=3, max_size=3), hexadecimal, hexadecimal
)


@given(uids)
def test_both_spellings_of_a_uid_are_the_same_uid(text: str) -> None:
    uid = EntityUid(text)
    assert uid == text
    assert EntityUid(uid.file_form) == uid


@pytest.mark.parametrize(
    "text", ["uid://A001/X133d/X1244", "uid___A001_X133d_X1244", " uid://A001/X133D/X1244\n", "UID___a001_x133d_x1244"]
)
def test_a_uid_is_kept_in_its_canonical_form(text: str) -> None:
    assert MousUid(text) == "uid://A001/X133d/X1244"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "uid://A001/X133d",
        "uid://A01/X1/X2",
        "uid://A001/X133d/X12g4",
        "uid://A001/X1/X2/X3",
        "uid___A001/X1/X2",
        "uid://A001/X1/X2#1",
        "uid://A001/X1/X２",
    ],
)
def test_what_is_no_uid_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidIdentifierError, match="uid://A001/X1284/X265f"):
        MousUid(text)


@pytest.mark.parametrize("text", ["2017.1.00886.L", "2011.0.00001.S", "2016.A.00012.T", "2015.1.00001.CSV"])
def test_project_codes_of_all_kinds_are_read(text: str) -> None:
    assert ProjectCode(text) == text


@pytest.mark.parametrize("text", ["2017.1.886.L", "2017.1.00886", "2017.1.00886.l", "17.1.00886.L", "2017_1_00886_L"])
def test_what_is_no_project_code_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidIdentifierError, match=r"2017\.1\.00886\.L"):
        ProjectCode(text)


def test_only_codes_of_2011_0_are_cycle_0() -> None:
    assert ProjectCode("2011.0.00001.S").is_cycle_0
    assert not ProjectCode("2012.1.00001.S").is_cycle_0


def test_sessions_are_numbered_from_one() -> None:
    assert SessionName.numbered(2) == "session_2"
    assert SessionName("session_12").number == 12
    with pytest.raises(InvalidIdentifierError):
        SessionName("session_0")


def test_a_model_reads_an_identifier_and_writes_its_canonical_form() -> None:
    class Holder(BaseModel):
        uid: MousUid

    holder = Holder.model_validate({"uid": "uid___A001_X1_X2"})
    assert type(holder.uid) is MousUid
    assert holder.model_dump_json() == '{"uid":"uid://A001/X1/X2"}'
    with pytest.raises(ValidationError, match="not an ALMA UID"):
        Holder.model_validate({"uid": "X1"})

"""Trigger files are read tolerantly of line ends and spacing, strictly in meaning, and written as they are read."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.identifiers import MousUid, ProjectCode
from contracts.messages.parts import RestoreRequest, Selection
from services.request_desk.intake.trigger_file import (
    UnreadableTriggerError,
    looks_finished,
    read_trigger,
    request_id_of,
    trigger_name,
)
from shared.request_text import write_request_text
from tests.support.samples import REQUEST
from tests.unit.services.request_desk.intake.trigger_samples import CALIBRATORS, GOLDENS, WHOLE

BOTH = pytest.mark.parametrize("golden", [WHOLE, CALIBRATORS], ids=["whole", "calfield"])


def read(golden: Path) -> RestoreRequest:
    return read_trigger(golden.name, golden.read_bytes())


def faults(change: Callable[[str], str], golden: Path = CALIBRATORS, name: str | None = None) -> list[str]:
    changed = change(golden.read_text())
    assert changed != golden.read_text() or name is not None
    with pytest.raises(UnreadableTriggerError) as raised:
        read_trigger(name or golden.name, changed.encode())
    return str(raised.value).splitlines()


def test_the_procedures_example_without_calfield_is_read() -> None:
    assert read(WHOLE) == RestoreRequest(
        request_id=request_id_of(WHOLE.name, WHOLE.read_bytes()),
        project_code=ProjectCode("2017.1.00727.S"),
        mous_uid=MousUid("uid://A001/X1296/X675"),
        user_name="Vera Rubin",
        user_email="vera@example.org",
        ticket="16140",
        contact_email="contact@example.org",
        cc=("support@example.org",),
    )


def test_the_procedures_example_with_calfield_is_read() -> None:
    request = read(CALIBRATORS)
    assert request.selection == Selection(calibrator_fields=("J0510+1800", "J0321+1234"))
    assert (request.project_code, request.user_name, request.ticket) == ("2021.1.01582.S", "Franco Nero", "12345")


def test_the_procedures_example_of_a_files_content_is_read() -> None:
    text = """\
EU ARC contact contact@example.org
CC email support@example.org
ALMA: REQUEST FOR CALIBRATED DATA MOUS uid___A001_X1296_X675

Dear AOG,
please create the calibrated MS for MOUS uid___A001_X1296_X675
project 2017.1.00727.S
calfield J0510+1800,J0321+1234
for user Vera Rubin
email vera@example.org
helpdesk ticket 16140
"""
    assert text.replace("calfield J0510+1800,J0321+1234\n", "") == WHOLE.read_text()
    request = read_trigger(WHOLE.name, text.encode())
    assert request.selection == Selection(calibrator_fields=("J0510+1800", "J0321+1234"))
    assert write_request_text(request) == text


@BOTH
def test_what_is_written_is_the_golden_file(golden: Path) -> None:
    request = read(golden)
    assert write_request_text(request) == golden.read_text()
    moment = datetime.strptime(golden.name[-23:-4], "%Y-%m-%dT%H-%M-%S").replace(tzinfo=UTC)
    assert trigger_name(request.mous_uid, moment) == golden.name


@BOTH
@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "\r"),
        lambda text: text.rstrip("\n"),
        lambda text: "\ufeff" + text,
        lambda text: "\n\n" + text.replace("\n", "\n\n") + "\n \n",
        lambda text: "".join(f"  {line}\t \n" for line in text.splitlines()),
        lambda text: text.replace(" ", "   ").replace("project ", "project\t\u00a0"),
        lambda text: text.replace("\n\nDear", "\nDear"),
    ],
    ids=["CRLF", "CR", "no last line end", "byte order mark", "empty lines", "indented", "wide", "no empty line"],
)
def test_line_ends_and_spacing_make_no_difference(golden: Path, change: Callable[[str], str]) -> None:
    data = change(golden.read_text()).encode()
    changed = read_trigger(golden.name, data)
    assert changed.model_copy(update={"request_id": read(golden).request_id}) == read(golden)
    assert looks_finished(data) or not data.endswith((b"\n", b"\r"))


def test_a_line_of_copies_may_be_missing() -> None:
    text = WHOLE.read_text().replace("CC email support@example.org\n", "")
    assert read_trigger(WHOLE.name, text.encode()).cc == ()


def test_the_same_file_makes_the_same_request_and_another_one_another() -> None:
    later = WHOLE.name.replace("14-00-27", "14-00-28")
    edited = WHOLE.read_bytes().replace(b"16140", b"16141")
    ids = {
        request_id_of(WHOLE.name, WHOLE.read_bytes()),
        read(WHOLE).request_id,
        request_id_of(later, WHOLE.read_bytes()),
        request_id_of(WHOLE.name, edited),
    }
    assert len(ids) == 3


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("contact@example.org", "contact", "line 1: 'EU ARC contact …': 'contact'"),
        ("support@example.org", "support@example.org,x", "line 2: 'CC email …': 'x'"),
        ("DATA MOUS uid___A001_X159a_X6b", "DATA MOUS uid___A001_X159a", "line 3: "),
        ("DATA MOUS uid___A001_X159a_X6b", "DATA MOUS uid___A001_X159a_X6c", "the subject line names uid://A001"),
        ("for MOUS uid___A001_X159a_X6b", "for MOUS uid://A001/X159a/X6c", "the text names uid://A001/X159a/X6c"),
        ("2021.1.01582.S", "2021.01582", "line 7: 'project …': '2021.01582' is not an ALMA project code"),
        ("1800,J", "1800, J", "line 8: 'calfield …': write field names separated by commas, without spaces"),
        ("J0510+1800,J0321+1234", "J0510+1800,,J0321+1234", "line 8: 'calfield …'"),
        ("calfield J0510+1800,J0321+1234", "calfield", "line 8: 'calfield …'"),
        ("Franco Nero", "", "line 9: 'for user …'"),
        ("Franco Nero", "Franco\x07", "line 9: 'for user …'"),
        ("franco@example.org", "franco", "line 10: 'email …': 'franco'"),
        ("helpdesk ticket 12345", "ticket 12345", "line 11: 'ticket 12345' is no line of a trigger file"),
        ("Dear AOG,", "Dear AOG, hello", "line 5: 'Dear AOG, …': nothing may follow here"),
        ("project 2021.1.01582.S\n", "", "there is no line 'project …'"),
        ("for user", "please hurry\nfor user", "line 9: 'please hurry' is no line"),
        ("email franco", "email a@b.org\nemail franco", "line 11: there is a line 'email …' before already"),
        ("12345\n", "12345\nforce it\n", "line 12: 'force …': only 'force duplicate' is known"),
    ],
)
def test_what_means_something_else_is_refused_with_its_line(old: str, new: str, words: str) -> None:
    found = faults(lambda text: text.replace(old, new, 1))
    assert any(fault.startswith(words) for fault in found), found


def test_lines_in_another_order_are_refused() -> None:
    found = faults(lambda text: "".join(sorted(text.splitlines(keepends=True))))
    assert any("must stand before" in fault for fault in found)


def test_all_faults_are_named_at_once() -> None:
    found = faults(lambda text: text.replace("project 2", "project X").replace("email franco@", "email franco"))
    assert len(found) == 2


@pytest.mark.parametrize(
    "name",
    [
        "trigger-uid___A001_X159a_X6b.txt",
        "trigger-uid___A001_X159a_X6b-2022-04-04T09:30:00.txt",
        "trigger-uid___A001_X159a_X6b-2022-02-30T09-30-00.txt",
        "trigger-uid___A001_X159a_X6b-2022-04-04T09-30-00.TXT",
        "trigger-uid___A001_X159a_X6b-2022-04-04T09-30-00.txt~",
        "trigger-uid://A001/X159a/X6b-2022-04-04T09-30-00.txt",
        "readme.txt",
    ],
)
def test_a_name_of_another_grammar_is_refused(name: str) -> None:
    (fault,) = faults(lambda text: text, name=name)
    assert fault.startswith("name: ")


def test_a_name_with_another_mous_is_refused() -> None:
    name = CALIBRATORS.name.replace("X6b", "X6c")
    found = faults(lambda text: text, name=name)
    assert found == [
        "the subject line names uid://A001/X159a/X6b, the file's name uid://A001/X159a/X6c: they must agree",
        "the text names uid://A001/X159a/X6b, the file's name uid://A001/X159a/X6c: they must agree",
    ]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"for user Szul\xe1gyi\n", "byte 14 is not UTF-8"),
        (b"\0" * 70_000, "longer than 65536 bytes"),
        (b"", "there is no line 'EU ARC contact …'"),
    ],
)
def test_bytes_that_are_no_text_of_this_kind_are_refused(data: bytes, words: str) -> None:
    with pytest.raises(UnreadableTriggerError, match=words):
        read_trigger(WHOLE.name, data)


def test_no_beginning_of_a_file_looks_finished() -> None:
    data = WHOLE.read_bytes()
    assert [end for end in range(len(data) + 1) if looks_finished(data[:end])] == [len(data)]


TEXT = st.text(min_size=1, max_size=60).filter(lambda text: " ".join(text.split()) == text)


@given(data=st.binary(max_size=400), name=st.sampled_from([WHOLE.name, CALIBRATORS.name, "x"]))
def test_no_bytes_break_the_reader(data: bytes, name: str) -> None:
    with pytest.raises(UnreadableTriggerError):
        read_trigger(name, data)


@given(user=TEXT, ticket=TEXT)
def test_every_request_that_the_contract_allows_is_read_as_it_was_written(user: str, ticket: str) -> None:
    try:
        request = RestoreRequest.model_validate(REQUEST.model_dump() | {"user_name": user, "ticket": ticket})
    except ValueError:
        return
    name = trigger_name(request.mous_uid, datetime(2026, 1, 2, tzinfo=UTC))
    found = read_trigger(name, write_request_text(request).encode())
    same = {"request_id": request.request_id, "user_account": request.user_account}
    assert found.model_copy(update=same) == request


def test_a_forced_request_says_so_in_a_line_of_its_own() -> None:
    forced = read(WHOLE).model_copy(update={"force": True})
    text = write_request_text(forced)
    assert text == WHOLE.read_text() + "force duplicate\n"
    assert read_trigger(WHOLE.name, text.encode()).force


def test_there_are_both_golden_files() -> None:
    assert set(GOLDENS.glob("*.txt")) == {WHOLE, CALIBRATORS}

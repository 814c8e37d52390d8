"""What people write into the form by which data is asked for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.request_desk.web.console.forms import faults_of, split, submission_of

FILLED = {"project_code": " 2017.1.00886.L ", "mous": "uid://A001/X1284/X265f\r\nuid://A001/X133d/X1244", "ticket": ""}


def faults(**changes: str) -> list[str]:
    form = {**FILLED, **changes}
    with pytest.raises(ValidationError) as raised:
        submission_of(form)
    return faults_of(raised.value, form)


def test_a_filled_form_is_a_submission() -> None:
    asked = submission_of({**FILLED, "fields": "J0510+1800, J0321+1234", "cc": "a@b.org;c@d.org", "force": "yes"})
    assert asked.mous_uids == ("uid://A001/X1284/X265f", "uid://A001/X133d/X1244")
    assert asked.selection.calibrator_fields == ("J0510+1800", "J0321+1234")
    assert asked.cc == ("a@b.org", "c@d.org")
    assert asked.ticket is None
    assert asked.force


def test_what_cannot_be_used_is_named_as_the_form_names_it() -> None:
    assert faults(mous=" ") == ["MOUS UIDs: give at least one"]
    (fault,) = faults(project_code="seventeen")
    assert fault.startswith("Project code: ")
    (fault,) = faults(cc="nobody")
    assert fault.startswith("Copies to: ")
    assert len(faults(mous="", project_code="")) == 2


def test_all_that_cannot_be_used_is_named_at_once() -> None:
    project, copies, *mous = faults(project_code="seventeen", cc="nobody", mous="uid://A001/X1284/X265f one two one")
    assert (project[:12], copies[:9]) == ("Project code", "Copies to")
    assert [fault.partition(" is not an ALMA UID")[0] for fault in mous] == ["MOUS UIDs: 'one'", "MOUS UIDs: 'two'"]


@given(st.text(alphabet="a,; \r\n\t"))
def test_lists_are_split_by_whatever_stands_between_them(text: str) -> None:
    parts = split(text)
    assert "".join(parts) == "a" * text.count("a")
    assert all(parts)

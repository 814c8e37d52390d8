"""The name under which a signed link is saved."""

from email.message import Message

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.objects.s3_links import content_disposition


def saved_as(disposition: str) -> str | None:
    """Read the name as a client does."""
    message = Message()
    message["Content-Disposition"] = disposition
    return message.get_filename()


@given(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=40))
def test_any_name_is_plain_ascii_on_the_way(name: str) -> None:
    disposition = content_disposition(name)
    assert disposition.isascii()
    assert disposition.isprintable()
    assert disposition.count('"') == 2


@pytest.mark.parametrize("name", ["uid___A002_X1_X2.ms.split.cal.tar", "a b+c%20.tar", "Ålma.tar", 'quo"te.tar'])
def test_a_file_is_saved_under_its_name(name: str) -> None:
    saved = saved_as(content_disposition(name).partition("; filename=")[0] + _best(content_disposition(name)))
    assert saved == name


def _best(disposition: str) -> str:
    """Clients prefer the extended name."""
    plain, _, extended = disposition.removeprefix("attachment").partition("; filename*=")
    return f"; filename*={extended}" if extended else plain


@pytest.mark.parametrize("name", ["a\r\nSet-Cookie: x", "a\x00b"])
def test_a_name_cannot_add_a_header(name: str) -> None:
    assert content_disposition(name).isprintable()

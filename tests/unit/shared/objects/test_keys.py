"""Keys that every store can hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.objects.keys import InvalidKeyError, check_key, check_prefix


@pytest.mark.parametrize("key", ["a", "a/b.tar", "asdm/uid___A002_X1_X2/1/x.xml", "a b", "a/.b", "a/...", "n" * 255])
def test_a_usual_key_is_returned_as_it_is(key: str) -> None:
    assert check_key(key) == key


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ("", "is empty"),
        ("/a", "empty name"),
        ("a/", "empty name"),
        ("a//b", "empty name"),
        ("a/../b", "'..'"),
        ("a/.", "'.'"),
        (".digests/x", "begins with a dot"),
        ("a\tb", "control character"),
        ("a\x7f", "control character"),
        ("a\ud800", "surrogate"),
        ("a\\b", "backslash"),
        ("a/" + "é" * 128, "longer than 255 bytes"),
        ("/".join(["n" * 200] * 6), "longer than 1024 bytes"),
    ],
)
def test_a_wrong_key_is_refused_with_what_is_wrong(key: str, problem: str) -> None:
    with pytest.raises(InvalidKeyError, match=problem):
        check_key(key)


@given(st.text(max_size=40))
def test_every_beginning_of_a_key_is_a_prefix(text: str) -> None:
    try:
        key = check_key(text)
    except InvalidKeyError:
        return
    for end in range(len(key) + 1):
        check_prefix(key[:end])


@pytest.mark.parametrize("prefix", ["/", "a//", "../a", "a/../", ".digests", "a\n"])
def test_what_no_key_begins_with_is_no_prefix(prefix: str) -> None:
    with pytest.raises(InvalidKeyError, match="prefix"):
        check_prefix(prefix)

"""Bytes counted, hashed and checked on their way."""

import hashlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.messages.parts import ObjectRef
from shared.objects import IntegrityError
from shared.objects.streams import Digest, verified


def ref_of(data: bytes) -> ObjectRef:
    return ObjectRef(key="a/key", size=len(data), sha256=hashlib.sha256(data).hexdigest())


@given(st.lists(st.binary(max_size=20)))
def test_what_was_promised_passes(chunks: list[bytes]) -> None:
    data = b"".join(chunks)
    assert b"".join(verified(chunks, ref_of(data))) == data


@pytest.mark.parametrize("got", [b"", b"abcdef", b"abcdefgh", b"abcdefX"])
def test_anything_else_is_an_error_that_names_both(got: bytes) -> None:
    with pytest.raises(IntegrityError, match=r"a/key.*7"):
        list(verified([got], ref_of(b"abcdefg")))


def endless() -> Iterator[bytes]:
    while True:
        yield b"ab"


def test_more_than_promised_is_an_error_before_the_end() -> None:
    with pytest.raises(IntegrityError, match="more bytes"):
        list(verified(endless(), ref_of(b"abc")))


def test_a_digest_refers_to_what_it_saw() -> None:
    digest = Digest()
    for chunk in (b"ab", b"", b"c"):
        digest.update(chunk)
    assert digest.ref("a/key") == ref_of(b"abc")

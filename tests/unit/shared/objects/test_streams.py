"""Bytes counted, hashed and checked on their way."""

import hashlib
import os
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.messages.parts import ObjectRef
from shared.objects import IntegrityError
from shared.objects.streams import CHUNK_BYTES, HASHED_ASIDE_BYTES, Digest, verified


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


def long_stream(end: bytes = b"") -> list[bytes]:
    return [bytes([number]) * CHUNK_BYTES for number in range(HASHED_ASIDE_BYTES // CHUNK_BYTES)] + [end]


def threads_that_hash() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("digest")]


def test_a_long_stream_is_checked_as_a_short_one() -> None:
    chunks = long_stream(b"end")
    assert list(verified(chunks, ref_of(b"".join(chunks)))) == chunks
    for wrong in (long_stream(b"eNd"), long_stream(b"en"), long_stream(b"end+")):
        with pytest.raises(IntegrityError, match="a/key"):
            list(verified(wrong, ref_of(b"".join(chunks))))
    assert threads_that_hash() == []


def test_on_a_single_core_no_thread_takes_turns_with_the_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0})
    chunks = long_stream(b"end")
    reading = verified(chunks, ref_of(b"".join(chunks)))
    assert next(reading) == chunks[0]
    assert threads_that_hash() == []
    assert list(reading) == chunks[1:]
    with pytest.raises(IntegrityError, match="a/key"):
        list(verified(long_stream(b"eNd"), ref_of(b"".join(chunks))))


def test_who_stops_reading_a_long_stream_leaves_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1})
    chunks = long_stream()
    reading = verified(chunks, ref_of(b"".join(chunks)))
    assert next(reading) == chunks[0]
    assert len(threads_that_hash()) == 1
    reading.close()
    assert threads_that_hash() == []


def test_an_error_of_a_long_source_passes_through() -> None:
    def broken() -> Iterator[bytes]:
        yield from long_stream()
        raise OSError("the source broke")

    with pytest.raises(OSError, match="the source broke"):
        list(verified(broken(), ref_of(b"".join(long_stream(b"more")))))
    assert threads_that_hash() == []

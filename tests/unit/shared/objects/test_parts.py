"""Cutting a stream into parts."""

from hypothesis import given
from hypothesis import strategies as st

from shared.objects import parts
from shared.objects.parts import FIRST_PART_BYTES, MAX_PARTS, MIB, cut, part_bytes

LARGEST_OBJECT = 5 * 1024**4
LARGEST_PART = 5 * 1024**3


def test_ten_thousand_growing_parts_hold_the_largest_object() -> None:
    sizes = [part_bytes(number, None) for number in range(MAX_PARTS)]
    assert sum(sizes) >= LARGEST_OBJECT
    assert max(sizes) <= LARGEST_PART
    assert sizes[:1200] == [FIRST_PART_BYTES] * 1200


@given(st.integers(min_value=0, max_value=LARGEST_OBJECT))
def test_a_known_size_fits_into_ten_thousand_alike_parts(total: int) -> None:
    size = part_bytes(0, total)
    assert size * MAX_PARTS >= total
    assert FIRST_PART_BYTES <= size <= 640 * MIB
    assert part_bytes(MAX_PARTS - 1, total) == size


@given(st.lists(st.binary(max_size=50)), st.integers(min_value=1, max_value=30))
def test_parts_joined_are_the_stream_and_only_the_last_is_short(chunks: list[bytes], size: int) -> None:
    first, parts.FIRST_PART_BYTES = parts.FIRST_PART_BYTES, size
    try:
        got = list(cut(chunks, total=0))
    finally:
        parts.FIRST_PART_BYTES = first
    assert b"".join(got) == b"".join(chunks)
    assert all(len(part) == size for part in got[:-1])
    assert all(got)

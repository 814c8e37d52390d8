"""Which bytes a request wants."""

import pytest

from services.request_desk.deliveries.base import ByteRange
from services.request_desk.deliveries.ranges import RangeNotSatisfiableError, is_same, names, wanted_part


@pytest.mark.parametrize(
    ("header", "offset", "length"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-", 0, 100),
        ("bytes=10-19", 10, 10),
        ("bytes=90-", 90, 10),
        ("bytes=90-1000", 90, 10),
        ("bytes=-10", 90, 10),
        ("bytes=-1000", 0, 100),
        (" bytes = 99-99 ", 99, 1),
    ],
)
def test_a_range_is_the_part_it_names(header: str, offset: int, length: int) -> None:
    assert wanted_part(header, 100) == ByteRange(offset, length)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "bytes=",
        "bytes=-",
        "bytes=5-4",
        "bytes=a-b",
        "items=0-5",
        "bytes=0-1,5-6",
        "bytes=1-2-3",
        "bytes=²-",
        "0-5",
        "bytes=99999999999999999999999-",
    ],
)
def test_what_cannot_be_read_as_one_range_is_ignored(header: str | None) -> None:
    assert wanted_part(header, 100) is None


@pytest.mark.parametrize(
    ("header", "size"), [("bytes=100-", 100), ("bytes=100-200", 100), ("bytes=-0", 100), ("bytes=0-", 0)]
)
def test_who_wants_bytes_that_are_not_there_is_told_the_size(header: str, size: int) -> None:
    with pytest.raises(RangeNotSatisfiableError) as raised:
        wanted_part(header, size)
    assert raised.value.size == size


def test_a_range_is_given_only_of_the_bytes_that_the_caller_has_begun_with() -> None:
    assert is_same(None, '"a"')
    assert is_same('"a"', '"a"')
    assert not is_same('"b"', '"a"')
    assert not is_same('W/"a"', '"a"')
    assert not is_same("Fri, 02 Jan 2026 03:04:05 GMT", '"a"')


def test_a_condition_names_any_of_several_tags() -> None:
    assert names('"x", "a"', '"a"')
    assert names("*", '"a"')
    assert names('W/"a"', '"a"')
    assert not names('"x"', '"a"')
    assert not names(None, '"a"')

"""Which bytes a request wants: Range and If-Range as HTTP has them (RFC 9110), one range at a time."""

import re

from services.request_desk.deliveries.base import ByteRange, DeliveryError

_ONE_RANGE = re.compile(r"\s*bytes\s*=\s*([0-9]{0,19})\s*-\s*([0-9]{0,19})\s*", re.ASCII)


class RangeNotSatisfiableError(DeliveryError):
    """Not one of the wanted bytes is in the file: it has been fetched whole, or another one is meant.

    Parameters
    ----------
    size
        Bytes of the file.
    """

    code = "range_not_satisfiable"
    status = 416
    title = "The file has no such bytes"

    def __init__(self, size: int) -> None:
        super().__init__(f"the file has {size} bytes; if you have as many, you have all of it")
        self.size = size


def wanted_part(header: str | None, size: int) -> ByteRange | None:
    """Read a Range header.

    What is malformed, of another unit, or several ranges at once is to be ignored (RFC 9110, 14.2).

    Returns
    -------
    ByteRange or None
        None for the whole file.

    Raises
    ------
    RangeNotSatisfiableError
        If no byte of it is in the file.
    """
    found = _ONE_RANGE.fullmatch(header) if header is not None else None
    if found is None or not any(found.groups()):
        return None
    first, last = (int(text) if text else None for text in found.groups())
    if first is None:
        assert last is not None, "one of them is given"
        return _satisfiable(max(0, size - last), size, size)
    if last is not None and last < first:
        return None
    return _satisfiable(first, size if last is None else min(last + 1, size), size)


def _satisfiable(begin: int, end: int, size: int) -> ByteRange:
    if begin >= end:
        raise RangeNotSatisfiableError(size)
    return ByteRange(begin, end - begin)


def is_same(condition: str | None, etag: str) -> bool:
    """Whether an If-Range header lets a range be given: there is none, or it names just these bytes.

    A date is none of ours, so that the whole file is given.
    """
    return condition is None or condition.strip() == etag


def names(condition: str | None, etag: str) -> bool:
    """Whether an If-None-Match or If-Match header names these bytes."""
    if condition is None:
        return False
    tags = [tag.strip().removeprefix("W/") for tag in condition.split(",")]
    return "*" in tags or etag in tags

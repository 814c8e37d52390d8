"""How a stream is cut into the parts of a multipart upload."""

from collections.abc import Iterable, Iterator

MIB = 1024 * 1024
MAX_PARTS = 10_000
"""S3's limit."""

FIRST_PART_BYTES = 16 * MIB
"""The best size measured: larger parts wait for the source, smaller ones cost a request each."""

PARALLEL_PARTS = 3
"""Parts of an upload that are on their way side by side."""

BYTES_ON_THEIR_WAY = PARALLEL_PARTS * FIRST_PART_BYTES
"""Parts on their way hold no more than this, or are one."""

PARTS_OF_A_SIZE = 1_200
"""After so many parts their size doubles: 10,000 of them hold 6.2 TiB, S3's largest object is 5 TiB."""


def part_bytes(number: int, total: int | None) -> int:
    """Give the size of a part, counted from zero.

    If the total is known all parts are alike; if not they grow, so that a stream of
    18 GiB is sent in parts of 16 MiB, one of 130 GiB in parts of up to 64 MiB.
    """
    if total is not None:
        return max(FIRST_PART_BYTES, -(-total // MAX_PARTS))
    return FIRST_PART_BYTES << (number // PARTS_OF_A_SIZE)


def upload_bytes(total: int) -> int:
    """Give the bytes that an upload of so many holds: parts on their way, one that waits, and one being filled."""
    part = part_bytes(0, total)
    return max(BYTES_ON_THEIR_WAY, part) + 2 * part


def cut(chunks: Iterable[bytes], total: int | None) -> Iterator[bytes]:
    """Join and cut chunks of any size into parts; only the last is short, and none is empty."""
    number, held, room = 0, list[memoryview](), part_bytes(0, total)
    for chunk in chunks:
        view = memoryview(chunk)
        while len(view) >= room:
            held.append(view[:room])
            view = view[room:]
            yield b"".join(held)
            number, held = number + 1, []
            room = part_bytes(number, total)
        if view:
            held.append(view)
            room -= len(view)
    if held:
        yield b"".join(held)

"""What RETRIEVE sends: which bytes for which range, and how a fault spoils them."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from socket import socket

from observatory.ngas.faults import Fault

_CHUNK = 1 << 20


class InvalidRangeError(ValueError):
    """The range is not of the one form that NGAS takes: ``bytes=N-``."""


@dataclass(frozen=True, kw_only=True)
class Body:
    """The part of a file that answers a request.

    Attributes
    ----------
    start
        Offset of the first byte.
    size
        Bytes of the whole file, as far as the server knows.
    resumed
        Whether a range was asked for and taken.
    """

    start: int
    size: int
    resumed: bool

    @property
    def content_length(self) -> int:
        """What the header says; negative where the range begins behind the end, as a real server has it."""
        return self.size - self.start

    @property
    def content_range(self) -> str:
        """What the header says of a resumed body."""
        return f"bytes {self.start}-{self.size - 1}/{self.size}"


def body_for(range_header: str | None, size: int, fault: Fault) -> Body:
    """Decide which bytes answer a request.

    Raises
    ------
    InvalidRangeError
        If the range is closed, a suffix or several: only ``bytes=N-`` is known.
    """
    size = size if fault.truncate_to is None else min(size, fault.truncate_to)
    if range_header is None or fault.ignore_range:
        return Body(start=0, size=size, resumed=False)
    found = re.fullmatch(r"bytes=(\d+)-", range_header.strip())
    if found is None:
        raise InvalidRangeError(range_header)
    return Body(start=int(found[1]) + fault.range_off, size=size, resumed=True)


def send_body(connection: socket, path: Path, body: Body, fault: Fault, wait: Callable[[float], object]) -> int:
    """Send the bytes of a body, spoilt as the fault says, and return how many went out.

    Parameters
    ----------
    connection
        Where to.
    path
        The file.
    body
        Which bytes.
    fault
        What goes wrong.
    wait
        Waits so many seconds, or less if the server stops.
    """
    stop = body.size if fault.cut_after is None else min(body.size, body.start + fault.cut_after)
    pause = min(body.start + fault.stall_after, stop) if fault.stall else body.start
    sent = _send(connection, path, body.start, pause, fault.corrupt_at)
    if fault.stall:
        wait(fault.stall)
    return sent + _send(connection, path, pause, stop, fault.corrupt_at)


def _send(connection: socket, path: Path, start: int, stop: int, corrupt_at: int | None) -> int:
    if stop <= start:
        return 0
    with path.open("rb") as file:
        if corrupt_at is None or not start <= corrupt_at < stop:
            return connection.sendfile(file, offset=start, count=stop - start)
        file.seek(start)
        position = start
        while position < stop:
            chunk = bytearray(file.read(min(_CHUNK, stop - position)))
            if position <= corrupt_at < position + len(chunk):
                chunk[corrupt_at - position] ^= 0xFF
            connection.sendall(chunk)
            position += len(chunk)
    return stop - start

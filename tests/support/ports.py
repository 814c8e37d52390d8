"""Ports on loopback for the servers of tests: each process hands out its own, each of them once in a long while."""

import fcntl
import socket
import tempfile
from functools import cache
from itertools import count, cycle
from pathlib import Path
from threading import Lock
from typing import IO

FIRST, PAST = 12_800, 32_768
"""Ports from ``PAST`` on are given to outgoing connections; a restart would find its own one taken."""
_EACH = 416
_LOCKS = Path(tempfile.gettempdir()) / "alma-restore-test-ports"
_held: list[IO[str]] = []
_lock = Lock()


def free_ports(number: int) -> list[int]:
    """Find ports that nobody holds and that are not handed out again soon, by whatever process.

    Between the finding and the binding pass the seconds in which a server starts: ports found by chance, or by asking
    the kernel, are then found by the next one, too.
    """
    with _lock:
        found: list[int] = []
        for port in _mine():
            if _is_free(port):
                found.append(port)
            if len(found) == number:
                return found
        raise AssertionError("a cycle ended")


@cache
def _mine() -> "cycle[int]":
    """Take a slice of all ports that no living process has."""
    _LOCKS.mkdir(mode=0o777, exist_ok=True)
    for number, first in zip(count(), range(FIRST, PAST, _EACH), strict=False):
        handle = (_LOCKS / str(number)).open("a")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.close()
        else:
            _held.append(handle)  # the kernel lets go of it when this process ends
            return cycle(range(first, first + _EACH))
    raise RuntimeError(f"{number + 1} processes hold ports for tests (see {_LOCKS}): end some of them")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True

"""Stop processes in their tracks, as a machine that hangs does."""

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep

_PATIENCE = 10.0


def stop_in_their_tracks(pids: Sequence[int]) -> None:
    """Send SIGSTOP and return once every thread stands: until then one or another may still answer."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    until = monotonic() + _PATIENCE
    while not all(state == "T" for pid in pids for state in _states_of(pid)):
        assert monotonic() < until, f"{pids} go on after SIGSTOP"
        sleep(0.001)


@contextmanager
def standing_still(pids: Sequence[int]) -> Iterator[None]:
    """Stop processes in their tracks, and let them go on at the end."""
    stop_in_their_tracks(pids)
    try:
        yield
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def children_of(pid: int) -> list[int]:
    """Tell a process's children."""
    return [child for child, (_, parent, _) in _processes() if int(parent) == pid]


def group_of(leader: int) -> list[int]:
    """Tell all processes of a group by its leader."""
    return [pid for pid, (_, _, group) in _processes() if int(group) == leader]


def _processes() -> Iterator[tuple[int, list[str]]]:
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            yield int(folder.name), _fields(folder)


def _states_of(pid: int) -> Iterator[str]:
    for thread in Path(f"/proc/{pid}/task").glob("*"):
        with suppress(OSError):  # a thread that ended meanwhile
            yield _fields(thread)[0]


def _fields(folder: Path) -> list[str]:
    """Read state, parent and group, which stand behind the command's name."""
    return (folder / "stat").read_text().rpartition(")")[2].split()[:3]

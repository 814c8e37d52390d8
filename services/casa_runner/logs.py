"""Reads what CASA wrote and printed."""

from pathlib import Path

from services.casa_runner.job import CasaFiles
from services.casa_runner.verify import severe_lines

_TAIL_BYTES = 64 * 2**10


def logs_of(files: CasaFiles) -> tuple[Path, ...]:
    """Name the files that tell what happened, in order."""
    return files.job, files.printed, files.log, files.shell_log


def tail_of(path: Path) -> str:
    """Read the end of a file; empty if there is none."""
    if not path.exists():
        return ""
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        return stream.read().decode(errors="replace")


def severe_in(path: Path) -> tuple[str, ...]:
    """Read the SEVERE lines of a log that a good restore does not have."""
    if not path.exists():
        return ()
    with path.open(errors="replace") as lines:
        return tuple(severe_lines(lines))

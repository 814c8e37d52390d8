"""Reads what CASA wrote and printed."""

from collections.abc import Sequence
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


def severe_in(files: CasaFiles, *, method: str, harmless: Sequence[str] = ()) -> tuple[str, ...]:
    """Read the SEVERE lines that a good restore does not have, of CASA's log and of the application's."""
    found: list[str] = []
    for path in (files.log, files.shell_log):
        if path.exists():
            with path.open(errors="replace") as lines:
                found.extend(severe_lines(lines, method=method, harmless=harmless))
    return tuple(found)

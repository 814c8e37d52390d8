"""Puts a whole job into its attempt's directory, for places that see nothing else of this machine."""

import fcntl
import json
import os
import shutil
from pathlib import Path

from services.casa_runner.job import CasaFiles

_SIGNALS = 64
_SIGNAL_BASE = 128


def hand_over(script: Path, files: CasaFiles) -> Path:
    """Copy the scripts of CASA's into the attempt's home, and return the one that is to run.

    The job forgets its parent: where CASA is not the runner's child, it would take that for the runner's death.
    """
    folder = files.attempt.home / "scripts"
    folder.mkdir(exist_ok=True)
    for source in script.parent.glob("*.py"):
        shutil.copyfile(source, folder / source.name)
    files.job.write_text(json.dumps(json.loads(files.job.read_text()) | {"parent": 0}, indent=1))
    return folder / script.name


def is_held(attempt: Path) -> bool:
    """Whether the runner of an attempt lives: it holds the lock beside the directory."""
    try:
        descriptor = os.open(attempt.with_name(f"{attempt.name}.lock"), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def status_of(code: int) -> int:
    """Translate an exit code as a shell says it (128 + N) to -N if signal N ended the process."""
    return _SIGNAL_BASE - code if _SIGNAL_BASE < code <= _SIGNAL_BASE + _SIGNALS else code

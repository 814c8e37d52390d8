"""Files that are being written: held by who writes them, so that what a killed process left is known and removed."""

import fcntl
import os
import random
import re
import shutil
from pathlib import Path

_NAME = re.compile(r"\.[0-9a-f]{32}\.part")


def begin(directory: Path) -> tuple[int, Path]:
    """Make a file under a temporary name, open for writing and held until it is closed.

    Returns
    -------
    tuple of int and Path
        Its descriptor and its name. What is to become a directory may lie beside it, see `beside`.
    """
    while True:
        path = directory / f".{random.getrandbits(128):032x}.part"  # a name is no secret
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        except FileExistsError:  # of a process that was split off this one, and draws the same numbers
            continue
        if _hold(descriptor) and os.fstat(descriptor).st_nlink:
            return descriptor, path
        os.close(descriptor)  # another process saw it before it was held, and removed it


def beside(path: Path) -> Path:
    """Name the directory that is held with a temporary file."""
    return path.with_suffix("")


def remove_unfinished(directory: Path) -> None:
    """Remove what processes that are no more left in a directory; what a living one holds stays.

    Where the file system knows no locks nothing is removed.
    """
    for path in directory.glob(".*.part"):
        if _NAME.fullmatch(path.name):
            _remove(path)


def _remove(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW)
    except OSError:  # it has its name by now, or is somebody else's
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(beside(path), ignore_errors=True)
        path.unlink(missing_ok=True)
    except OSError:  # a living process holds it, or nobody can
        return
    finally:
        os.close(descriptor)


def _hold(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # no locks here: nobody can remove it either
        return True
    return True

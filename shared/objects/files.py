"""Files that appear whole or not at all, and stay after a power cut."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

READ_ONLY = 0o444


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_directories(path: Path) -> None:
    """Create a directory and its parents, each one durable."""
    if path.is_dir():
        return
    make_directories(path.parent)
    path.mkdir(exist_ok=True)
    sync_directory(path.parent)


def seal(file: BinaryIO) -> None:
    """Make a written file read-only and wait until the disk has it."""
    file.flush()
    os.fchmod(file.fileno(), READ_ONLY)
    os.fsync(file.fileno())


@contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path``; at the end it takes that name, after an error it is removed."""
    temporary = path.with_name(f".{uuid4().hex}.part")
    try:
        yield temporary
        temporary.replace(path)
        sync_directory(path.parent)
    finally:
        # Also needed after success: renaming onto another link of the same file leaves both names.
        temporary.unlink(missing_ok=True)


def write_whole(path: Path, chunks: Iterable[bytes]) -> None:
    """Write a read-only file that appears whole and durable, or not at all."""
    with appearing(path) as temporary, temporary.open("xb") as file:
        for chunk in chunks:
            file.write(chunk)
        seal(file)

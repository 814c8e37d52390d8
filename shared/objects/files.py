"""Files that appear whole or not at all, and stay after a power cut."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO

READ_ONLY = 0o444


def sync_directory(path: str | Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_directories(path: str | Path) -> None:
    """Create a directory and its parents, each one durable."""
    if os.path.isdir(path):
        return
    parent = os.path.dirname(path) or "."
    make_directories(parent)
    try:
        os.mkdir(path)
    except FileExistsError:
        if not os.path.isdir(path):
            raise
    sync_directory(parent)


def seal(file: BinaryIO) -> None:
    """Make a written file read-only and wait until the disk has it."""
    file.flush()
    os.fchmod(file.fileno(), READ_ONLY)
    os.fsync(file.fileno())


@contextmanager
def appearing(path: str | Path) -> Iterator[str]:
    """Give a temporary path beside ``path``; at the end it takes that name, after an error it is removed."""
    directory = os.path.dirname(path) or "."
    temporary = f"{directory}/.{token_hex(16)}.part"
    try:
        yield temporary
        os.replace(temporary, path)
        sync_directory(directory)
    finally:
        # Also needed after success: renaming onto another link of the same file leaves both names.
        with suppress(FileNotFoundError):
            os.unlink(temporary)


def write_whole(path: str | Path, chunks: Iterable[bytes]) -> None:
    """Write a read-only file that appears whole and durable, or not at all."""
    with appearing(path) as temporary, open(temporary, "xb") as file:
        for chunk in chunks:
            file.write(chunk)
        seal(file)

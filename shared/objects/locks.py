"""Locks that the kernel releases when their holder dies, and temporary files that are known by them."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from secrets import token_hex
from typing import BinaryIO


@contextmanager
def exclusive_lock(path: str) -> Iterator[None]:
    """Hold a lock among all threads and processes that use the same file; wait for it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def locked_temporary(directory: str) -> Iterator[tuple[str, BinaryIO]]:
    """Open a new locked file for writing; at the end it is removed unless it was moved away."""
    while True:
        path = f"{directory}/{token_hex(16)}"
        with open(path, "xb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if not os.fstat(file.fileno()).st_nlink:
                continue  # a sweep took it between its creation and its lock
            try:
                yield path, file
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(path)
            return


def remove_abandoned(directory: str) -> int:
    """Remove the temporary files whose writers are dead, and tell how many there were."""
    return sum(remove_if_abandoned(f"{directory}/{name}") for name in os.listdir(directory))


def remove_if_abandoned(path: str) -> bool:
    """Remove a file unless its writer lives; tell whether it is gone by our doing."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with suppress(FileNotFoundError):
            os.unlink(path)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True

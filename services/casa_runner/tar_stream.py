"""Streams a directory as a tar whose bytes depend on names and contents alone."""

import os
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

CHUNK = 2**20


class ChangedWhileReadError(RuntimeError):
    """A file has another size than when its header was written: something still writes to it."""


def tar_chunks(folder: Path, *, mtime: int, chunk: int = CHUNK) -> Iterator[bytes]:
    """Yield a GNU tar of a directory, in pieces of ``chunk`` bytes.

    Members are sorted, belong to root and bear one time, so the same files give the
    same bytes. Only directories and regular files are packed: a MeasurementSet has no others.

    Parameters
    ----------
    folder
        Becomes the one directory at the top of the archive.
    mtime
        Time that every member bears, Unix seconds.
    chunk
        Size of all pieces but the last.

    Raises
    ------
    ChangedWhileReadError
        If a file changes its size meanwhile.
    ValueError
        If the directory holds something else than directories and files.
    """
    buffer = bytearray()
    for piece in _pieces(folder, mtime):
        buffer += piece
        while len(buffer) >= chunk:
            yield bytes(buffer[:chunk])
            del buffer[:chunk]
    yield bytes(buffer)


def _pieces(folder: Path, mtime: int) -> Iterator[bytes]:
    size = 0
    for path, name in _named(str(folder), folder.name):
        for piece in _member(path, name, mtime):
            size += len(piece)
            yield piece
    end = 2 * tarfile.BLOCKSIZE
    yield bytes(end + -(size + end) % tarfile.RECORDSIZE)


def _named(path: str, name: str) -> Iterator[tuple[str, str]]:
    """Name a directory and all below it, with their places and their names in the tar, in order of their names."""
    yield path, name
    with os.scandir(path) as entries:
        found = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)
    for each, is_directory in found:
        below = f"{path}/{each}", f"{name}/{each}"
        if is_directory:
            yield from _named(*below)
        else:
            yield below


def _member(path: str, name: str, mtime: int) -> Iterator[bytes]:
    status = os.lstat(path)
    info = tarfile.TarInfo(name)
    info.mtime = mtime
    info.uname = info.gname = "root"
    if stat.S_ISDIR(status.st_mode):
        info.type, info.mode = tarfile.DIRTYPE, 0o755
        yield info.tobuf(tarfile.GNU_FORMAT)
    elif stat.S_ISREG(status.st_mode):
        info.mode = 0o644
        with open(path, "rb") as file:  # noqa: PTH123 (a MeasurementSet has hundreds of files)
            info.size = os.fstat(file.fileno()).st_size
            yield info.tobuf(tarfile.GNU_FORMAT)
            yield from _content(file, info)
    else:
        raise ValueError(f"{path} is neither a file nor a directory")


def _content(file: BinaryIO, info: tarfile.TarInfo) -> Iterator[bytes]:
    read = 0
    while piece := file.read(CHUNK):
        read += len(piece)
        yield piece
    if read != info.size:
        raise ChangedWhileReadError(f"{info.name} had {info.size} bytes and then {read}")
    yield bytes(-read % tarfile.BLOCKSIZE)

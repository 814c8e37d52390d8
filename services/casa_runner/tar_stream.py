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


def tar_bytes(folder: Path, *, mtime: int) -> int:
    """Tell how large the tar of a directory is, to the byte, without reading its files; see `tar_chunks`."""
    size = 0
    for path, name in _named(str(folder), folder.name):
        info = _info(name, os.lstat(path), mtime)
        size += len(info.tobuf(tarfile.GNU_FORMAT)) + info.size + -info.size % tarfile.BLOCKSIZE
    return size + _end_bytes(size)


def _pieces(folder: Path, mtime: int) -> Iterator[bytes]:
    size = 0
    for path, name in _named(str(folder), folder.name):
        for piece in _member(path, name, mtime):
            size += len(piece)
            yield piece
    yield bytes(_end_bytes(size))


def _end_bytes(size: int) -> int:
    """Tell how many zeros end a tar whose members take so many bytes: two blocks, and what fills the record."""
    end = 2 * tarfile.BLOCKSIZE
    return end + -(size + end) % tarfile.RECORDSIZE


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
    info = _info(name, os.lstat(path), mtime)
    if info.isdir():
        yield info.tobuf(tarfile.GNU_FORMAT)
        return
    with open(path, "rb") as file:  # noqa: PTH123 (a MeasurementSet has hundreds of files)
        info.size = os.fstat(file.fileno()).st_size
        yield info.tobuf(tarfile.GNU_FORMAT)
        yield from _content(file, info)


def _info(name: str, status: os.stat_result, mtime: int) -> tarfile.TarInfo:
    """Describe a member; raise ValueError if it is neither a directory nor a file."""
    info = tarfile.TarInfo(name)
    info.mtime = mtime
    info.uname = info.gname = "root"
    if stat.S_ISDIR(status.st_mode):
        info.type, info.mode = tarfile.DIRTYPE, 0o755
    elif stat.S_ISREG(status.st_mode):
        info.mode, info.size = 0o644, status.st_size
    else:
        raise ValueError(f"{name} is neither a file nor a directory")
    return info


def _content(file: BinaryIO, info: tarfile.TarInfo) -> Iterator[bytes]:
    read = 0
    while piece := file.read(CHUNK):
        read += len(piece)
        yield piece
    if read != info.size:
        raise ChangedWhileReadError(f"{info.name} had {info.size} bytes and then {read}")
    yield bytes(-read % tarfile.BLOCKSIZE)

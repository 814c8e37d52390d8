"""Unpack tars without trusting them; the standard library's own filters are not in every Python 3.11."""

import gzip
import os
import tarfile
from collections.abc import Iterable, Iterator
from copy import copy
from pathlib import Path, PurePosixPath


class UnsafeTarError(tarfile.TarError):
    """A tar holds something that would leave the folder or is no plain file: nothing of ours does."""


def extract(tar: tarfile.TarFile, into: Path | str = ".", *, members: Iterable[tarfile.TarInfo] | None = None) -> None:
    """Unpack files and directories below a folder, with our own owner and plain rights.

    Parameters
    ----------
    tar
        The open tar.
    into
        The folder.
    members
        What of it; all if None.

    Raises
    ------
    UnsafeTarError
        If a name is absolute or leads out, or a member is a link or a device; what came before is unpacked.
    """
    tar.extractall(into, members=_safe(tar if members is None else members))  # noqa: S202 - each member is checked


def read_to_end(unpacked: gzip.GzipFile, limit: int) -> None:
    """Read what follows a tar's last member: only then gzip has compared its checksum.

    Raises
    ------
    ValueError
        If the whole unpacks to more than twice this many bytes.
    """
    while unpacked.read(2**20):
        if unpacked.tell() > 2 * limit:
            raise ValueError(f"it unpacks to more than {limit} bytes")


def _safe(members: Iterable[tarfile.TarInfo]) -> Iterator[tarfile.TarInfo]:
    for member in members:
        path = PurePosixPath(member.name)
        if path.is_absolute() or ".." in path.parts:
            raise UnsafeTarError(f"{member.name!r} would lie outside of the folder")
        if not (member.isfile() or member.isdir()):
            raise UnsafeTarError(f"{member.name!r} is neither a file nor a directory")
        plain = copy(member)
        plain.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
        plain.uid, plain.gid = os.geteuid(), os.getegid()
        plain.uname = plain.gname = ""
        yield plain

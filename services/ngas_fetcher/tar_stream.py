"""The files of an ASDM out of a tar, while it streams; nothing but plain files below one directory is taken."""

import tarfile
from collections.abc import Iterable, Iterator
from typing import IO, cast

from services.ngas_fetcher.location import UnsafePathError, safe_path
from services.ngas_fetcher.parts import PackageError, Part, PartReader

_BUFFER = 1 << 20
_MAX_HEADER = 1 << 20
_EXTENDED = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)


class _StrictInfo(tarfile.TarInfo):
    """A header; one that cannot be read is an error, and not the end of the archive as in the library."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "_StrictInfo":
        if len(buf) < tarfile.BLOCKSIZE:
            raise PackageError("the tar ends without its end mark: it was cut off")
        try:
            info = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if buf.count(0) == tarfile.BLOCKSIZE:
                raise
            raise PackageError(f"the tar has an unreadable header: {error}") from error
        if info.type in _EXTENDED and info.size > _MAX_HEADER:
            raise PackageError(f"the tar has an extended header of {info.size} bytes")
        return info


def tar_parts(chunks: Iterable[bytes]) -> Iterator[Part]:
    """Go through the files of a tar; the bytes of each must be taken, or are skipped, before the next is asked for.

    Parameters
    ----------
    chunks
        The tar.

    Raises
    ------
    PackageError
        If it cannot be read, or holds anything but plain files and directories with safe paths.
    """
    source = PartReader(iter(chunks))
    try:
        with tarfile.open(
            fileobj=cast("IO[bytes]", source), mode="r|", bufsize=_BUFFER, tarinfo=_StrictInfo
        ) as archive:
            while (member := archive.next()) is not None:
                archive.members = []  # type: ignore[attr-defined]  # the library keeps every header for ever
                if not member.isdir():
                    yield _part(archive, member)
    except tarfile.TarError as error:
        raise PackageError(f"the tar cannot be read: {error}") from error
    source.drain()


def _part(archive: tarfile.TarFile, member: tarfile.TarInfo) -> Part:
    if not member.isreg() or member.issparse():
        raise PackageError(f"the tar holds {member.name!r}, which is no plain file (type {member.type!r})")
    try:
        path = safe_path(member.name)
    except UnsafePathError as error:
        raise PackageError(f"the tar holds an unsafe name: {error}") from error
    content = archive.extractfile(member)
    assert content is not None
    return Part(path=path, size=member.size, chunks=_chunks(content, member))


def _chunks(content: IO[bytes], member: tarfile.TarInfo) -> Iterator[bytes]:
    left = member.size
    while left:
        try:
            chunk = content.read(min(_BUFFER, left))
        except tarfile.TarError as error:
            raise PackageError(f"the tar ends within {member.name!r}: {error}") from error
        if not chunk:
            raise PackageError(f"the tar ends {left} bytes before the end of {member.name!r}")
        left -= len(chunk)
        yield chunk

"""Looks into the tars of caltables and flag versions without unpacking them, to see whether all is there."""

import gzip
import io
import tarfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from contracts.identifiers import ExecBlockUid, SessionName
from contracts.reasons import ReasonCode
from shared.errors import BlockFailedError
from shared.pipeline_files.calapply import ApplyCall
from shared.tars import read_to_end

MAX_UNPACKED = 200 * 2**30
MAX_MEMBERS = 1_000_000
FINAL_FLAGS = "flags.Pipeline_Final"
"""The version of the flags that the pipeline's restore brings back."""

Contents = Mapping[str, frozenset[str]]
"""What each directory at the top of an archive holds."""


class ArchiveError(BlockFailedError):
    """A tar of tables cannot be read, or lacks what the restore needs."""

    code = "archive_invalid"

    def __init__(self, detail: str) -> None:
        super().__init__(ReasonCode.CALTABLE_DAMAGED, detail)


def list_archive(
    name: str, chunks: Iterable[bytes], *, max_unpacked: int = MAX_UNPACKED, max_members: int = MAX_MEMBERS
) -> Contents:
    """List the directories at the top of a ``.tgz`` and what lies directly in them; the bytes are read to the end.

    Parameters
    ----------
    name
        Its name, for errors.
    chunks
        Its bytes.
    max_unpacked, max_members
        Bytes that it may unpack to, and members that it may have.

    Raises
    ------
    ArchiveError
        If it is damaged or larger than that.
    """
    found: dict[str, set[str]] = {}
    rest = iter(chunks)
    try:
        with gzip.open(io.BufferedReader(_Stream(rest))) as unpacked:
            with tarfile.open(fileobj=unpacked, mode="r|") as tar:
                for parts in _members(tar, max_unpacked, max_members):
                    found.setdefault(parts[0], set()).update(parts[1:2])
            read_to_end(unpacked, max_unpacked)
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error, ValueError) as error:
        raise ArchiveError(f"{name} cannot be read: {type(error).__name__}: {error}") from error
    for _ in rest:
        pass  # the store compares the digest at the last byte
    return {directory: frozenset(inside) for directory, inside in found.items()}


def check_caltables(
    name: str, contents: Contents, calls: Sequence[ApplyCall], *, eb_uid: ExecBlockUid, session: SessionName
) -> None:
    """Make sure that the tar of a session holds every table that a block's applycal calls apply.

    Raises
    ------
    ArchiveError
        If one is missing or empty, or has a name that the pipeline would leave in the tar.
    """
    wanted = dict.fromkeys(table for call in calls for table in call.gaintable)
    missing = [table for table in wanted if not contents.get(table)]
    if missing:
        raise ArchiveError(
            f"{name} lacks or holds empty what {eb_uid.file_form}.ms.calapply.txt applies: {', '.join(missing)}; "
            f"it holds {', '.join(sorted(contents)) or 'nothing'}"
        )
    # The pipeline's restore unpacks members whose name begins with the MeasurementSet's or the session's.
    prefixes = (f"{eb_uid.file_form}.ms", session)
    left = [table for table in wanted if not table.startswith(prefixes)]
    if left:
        raise ArchiveError(
            f"{name}: the pipeline would not unpack {', '.join(left)}, which begin neither with "
            f"{' nor with '.join(prefixes)}"
        )


def check_flagversions(name: str, contents: Contents, *, eb_uid: ExecBlockUid) -> None:
    """Make sure that the tar of a block's flag versions holds the one that is restored.

    Raises
    ------
    ArchiveError
        If it does not.
    """
    folder = f"{eb_uid.file_form}.ms.flagversions"
    held = [f"{top}/{item}" for top in sorted(contents) for item in sorted(contents[top])]
    if FINAL_FLAGS not in contents.get(folder, frozenset()):
        raise ArchiveError(
            f"{name} lacks {folder}/{FINAL_FLAGS}, the flags that are restored; it holds {', '.join(held) or 'nothing'}"
        )


def _members(tar: tarfile.TarFile, max_unpacked: int, max_members: int) -> Iterator[tuple[str, ...]]:
    size = 0
    for number, member in enumerate(tar, start=1):
        size += member.size
        if size > max_unpacked or number > max_members:
            raise ValueError(f"it unpacks to more than {max_unpacked} bytes or {max_members} members")
        parts = tuple(part for part in PurePosixPath(member.name).parts if part != ".")
        if parts:
            yield parts


class _Stream(io.RawIOBase):
    """Gives chunks of bytes as a file that can only be read forward."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]  # what io gives
        while not self._left:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._left = memoryview(chunk)
        size = min(len(buffer), len(self._left))
        buffer[:size] = self._left[:size]
        self._left = self._left[size:]
        return size

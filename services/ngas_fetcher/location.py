"""Where the files of an execution block lie in the archive, and what they must be."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import PurePosixPath

from contracts.identifiers import ExecBlockUid
from services.ngas_fetcher.checksums import Checksum


@dataclass(frozen=True, kw_only=True)
class ArchiveFile:
    """One version of a file in NGAS.

    Attributes
    ----------
    path
        Where it belongs below the ASDM's directory; a product's own name.
    size
        Bytes, as recorded.
    checksum
        As recorded; None if nothing was.
    servers
        The servers that have it, in order of preference.
    """

    path: str
    file_id: str
    version: int
    size: int
    checksum: Checksum | None
    servers: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class AsdmLocation:
    """All files of an ASDM, in order of their paths."""

    eb_uid: ExecBlockUid
    files: tuple[ArchiveFile, ...]

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(file.size for file in self.files)

    @property
    def content(self) -> str:
        """A digest of path, version, checksum and size of every file: the same for the same content."""
        told = sorted((file.path, file.version, str(file.checksum), file.size) for file in self.files)
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:32]

    def find(self, path: str) -> ArchiveFile | None:
        """Return the file that belongs at this path, if there is one."""
        return next((file for file in self.files if file.path == path), None)


class UnsafePathError(ValueError):
    """A path leads out of the directory that it is meant for, or is no plain relative path."""


def safe_path(*parts: str) -> str:
    """Join parts to a relative path that stays below where it starts.

    Raises
    ------
    UnsafePathError
        If a part is absolute, goes up, or holds a backslash or control character.
    """
    joined = "/".join(part for part in parts if part not in ("", "."))
    names = joined.split("/")
    unsafe = any(name in ("", ".", "..") for name in names) or any(c == "\\" or ord(c) < 32 for c in joined)
    if unsafe or PurePosixPath(joined).is_absolute():
        raise UnsafePathError(f"{'/'.join(parts)!r} is not a plain path below the ASDM's directory")
    return joined

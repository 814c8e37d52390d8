"""The files of the small NGAS server: a volume directory and an index that survives a restart."""

import json
import os
import shutil
import zlib
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock
from urllib.parse import quote

from google_crc32c import extend as extend_crc32c

_CHUNK = 1 << 20
_ZLIB_NAMES = ("ngamsGenCrc32", "crc32", "crc32z")


@dataclass(frozen=True, kw_only=True)
class StoredFile:
    """A version of an archived file, as NGAS's table of files has it.

    Attributes
    ----------
    checksum
        Decimal text, signed where the archive is old; ``None`` as text where there is none.
    path
        Where it lies, relative to the archive's root.
    """

    file_id: str
    version: int
    size: int
    checksum: str
    checksum_plugin: str
    path: str
    ingested: str


class Archive:
    """Keeps versions of files below a directory; several processes may add to it.

    Parameters
    ----------
    root
        The archive's directory, made if it is missing.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.root.mkdir(parents=True, exist_ok=True)
        self._index = self.root / "index.jsonl"
        self._index.touch()
        self._lock = RLock()
        self._read = 0
        self._files: dict[str, dict[int, StoredFile]] = {}

    def archive(
        self,
        path: Path,
        file_id: str,
        *,
        version: int | None = 1,
        checksum_plugin: str = "ngamsGenCrc32",
        signed: bool = False,
    ) -> StoredFile:
        """Put a file into the archive: a hard link where possible, else a copy.

        Parameters
        ----------
        path
            The file to archive; it must not be changed in place afterwards.
        file_id
            Its id in NGAS.
        version
            The version to store it as, replacing what was there; None takes the newest version if
            that has the same bytes, else the next one.
        checksum_plugin
            ``ngamsGenCrc32``, ``crc32``, ``crc32z``, ``crc32c`` or ``None``.
        signed
            Whether the checksum is written as a signed number, as old archives did.
        """
        checksum = checksum_text(path, checksum_plugin, signed=signed)
        size = path.stat().st_size
        with self._lock:
            newest = self.find(file_id)
            if version is None and newest and (newest.size, newest.checksum) == (size, checksum):
                return newest
            if version is None:
                version = newest.version + 1 if newest else 1
            place = Path("volume1", quote(file_id, safe=""), str(version))
            _link_or_copy(path, self.root / place)
            stored = StoredFile(
                file_id=file_id,
                version=version,
                size=size,
                checksum=checksum,
                checksum_plugin=checksum_plugin,
                path=str(place),
                ingested=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3],
            )
            with self._index.open("a") as index:
                index.write(json.dumps(asdict(stored)) + "\n")
        return stored

    def find(self, file_id: str, version: int | None = None) -> StoredFile | None:
        """Find a version of a file, the newest if none is named."""
        with self._lock:
            self._refresh()
            versions = self._files.get(file_id)
            return versions.get(max(versions) if version is None else version) if versions else None

    def files(self) -> list[StoredFile]:
        """List all versions of all files, by file id and version."""
        with self._lock:
            self._refresh()
            return [versions[version] for _, versions in sorted(self._files.items()) for version in sorted(versions)]

    def _refresh(self) -> None:
        """Read what was added to the index since the last look, by whichever process."""
        if self._index.stat().st_size <= self._read:
            return
        with self._index.open("rb") as index:
            index.seek(self._read)
            added = index.read()
        whole = added[: added.rfind(b"\n") + 1]
        for line in whole.splitlines():
            file = StoredFile(**json.loads(line))
            self._files.setdefault(file.file_id, {})[file.version] = file
        self._read += len(whole)


def checksum_text(path: Path, plugin: str, *, signed: bool = False) -> str:
    """Compute a file's checksum as the archive records it.

    Raises
    ------
    ValueError
        If there is no such plug-in.
    """
    if plugin == "None":
        return "None"
    if plugin not in (*_ZLIB_NAMES, "crc32c"):
        raise ValueError(f"unknown checksum plug-in {plugin!r}: use {', '.join(_ZLIB_NAMES)}, crc32c or None")
    crc = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            crc = zlib.crc32(chunk, crc) if plugin in _ZLIB_NAMES else extend_crc32c(crc, chunk)
    return str(crc - (1 << 32) if signed and crc >= 1 << 31 else crc)


def _link_or_copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    try:
        os.link(source.resolve(), temporary)
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, temporary)
    temporary.replace(target)
    temporary.unlink(missing_ok=True)  # renaming a link onto the same file leaves both names

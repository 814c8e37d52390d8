"""An ASDM that lies in NGAS as one file, a tar or a multipart message: unpacked while it streams.

Its checksum is known to be right only after its last byte, when all its files are at the
target. So they lie in a folder of this attempt, which nothing names before the checksum and
the Main table have been looked at; after a failure the folder is removed.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from uuid import uuid4

import structlog

from contracts.identifiers import ExecBlockUid
from contracts.manifests import StagedFile
from contracts.reasons import ReasonCode
from services.ngas_fetcher.completeness import MAIN_TABLE, check_complete
from services.ngas_fetcher.holding import Bringing, Located, fetch_job, staged_file
from services.ngas_fetcher.location import ArchiveFile, AsdmLocation
from services.ngas_fetcher.multipart_stream import multipart_parts
from services.ngas_fetcher.parts import PackageError, Part
from services.ngas_fetcher.tar_stream import tar_parts
from services.ngas_fetcher.unpacked import UNPACKED
from shared.errors import BlockFailedError

log = structlog.get_logger()
MAX_FILES = 100_000
_TAR_MAGIC = slice(257, 262)


def is_package(location: AsdmLocation) -> bool:
    """Whether these files can only be a package: one file, and not the Main table."""
    return len(location.files) == 1 and location.files[0].path != MAIN_TABLE


@dataclass(frozen=True, kw_only=True)
class PackedHolding(Located):
    """An ASDM in one file of NGAS."""

    def bring(self, bringing: Bringing) -> tuple[StagedFile, ...]:
        """Get the package in one pass, and store what is in it."""
        (package,) = self.location.files
        (staged,) = bringing.run([fetch_job(package, lambda: self._bring(bringing, package))])
        return staged

    def _bring(self, bringing: Bringing, package: ArchiveFile) -> tuple[StagedFile, ...]:
        def take(chunks: Iterator[bytes]) -> tuple[StagedFile, ...]:
            unpacking = _Unpacking(self.eb_uid, bringing, package)
            try:
                return unpacking.run(chunks)
            except BaseException:  # nothing partial stays, whatever happened; raised again
                unpacking.forget()
                raise

        staged = bringing.fetcher.fetch_into(
            package, take, stop=bringing.stop, on_position=bringing.progress.position(package.path)
        )
        bringing.progress.done(package.path, package.size)
        return staged


class _Unpacking:
    """One attempt to unpack a package."""

    def __init__(self, eb_uid: ExecBlockUid, bringing: Bringing, package: ArchiveFile) -> None:
        self._eb_uid = eb_uid
        self._bringing = bringing
        self._package = package
        self._folder = f"{UNPACKED}{uuid4().hex}/"
        self._staged: dict[str, StagedFile] = {}

    def run(self, chunks: Iterator[bytes]) -> tuple[StagedFile, ...]:
        first = next(chunks, b"")
        parts = tar_parts if first[_TAR_MAGIC] == b"ustar" else multipart_parts
        try:
            self._store(parts(chain([first], chunks)))
        except PackageError as error:
            # A damaged package is told as such: what cannot be read may be no more than a wrong byte.
            for _ in chunks:
                pass
            raise BlockFailedError(ReasonCode.ASDM_INCOMPLETE, f"{self._package.file_id}: {error}") from error
        main = self._staged.get(MAIN_TABLE)
        if main is None:
            raise BlockFailedError(
                ReasonCode.ASDM_INCOMPLETE, f"{self._eb_uid}: {MAIN_TABLE} is not in {self._package.file_id}"
            )
        with self._bringing.target.open(main.ref) as table:
            check_complete(self._eb_uid, table, self._staged)
        return tuple(sorted(self._staged.values(), key=lambda file: file.path))

    def forget(self) -> None:
        """Remove what this attempt stored."""
        for staged in self._staged.values():
            self._bringing.target.delete(staged.ref.key)

    def _store(self, parts: Iterable[Part]) -> None:
        left = self._package.size
        for part in parts:
            path = inside(part.path, self._eb_uid)
            if path in self._staged or len(self._staged) >= MAX_FILES:
                raise PackageError(f"it holds {path} twice, or more than {MAX_FILES} files")
            if part.size is not None and part.size > left:
                raise PackageError(f"it holds more bytes than it has: {path} of {part.size}")
            key, at_most = self._bringing.folder + self._folder + path, left if part.size is None else part.size
            ref = self._bringing.target.put(key, part.chunks, at_most=at_most)
            left -= ref.size
            self._staged[path] = staged_file(self._package, ref).model_copy(update={"path": path})


def inside(path: str, eb_uid: ExecBlockUid) -> str:
    """Name a file relative to the ASDM's own directory, wherever in a package that lies."""
    parts = path.split("/")
    for number, part in enumerate(parts[:-1]):
        if part.removesuffix(".asdm.sdm") == eb_uid.file_form:
            return "/".join(parts[number + 1 :])
    return path

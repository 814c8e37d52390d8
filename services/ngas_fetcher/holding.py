"""An ASDM as a source holds it, and how it is brought to the target."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol, TypeVar

from contracts.identifiers import ExecBlockUid
from contracts.manifests import StagedFile
from contracts.messages.parts import ObjectRef
from contracts.reasons import ReasonCode
from services.ngas_fetcher.completeness import MAIN_TABLE, check_complete
from services.ngas_fetcher.fetcher import FileFetcher
from services.ngas_fetcher.location import ArchiveFile, AsdmLocation
from services.ngas_fetcher.parallel import run_all
from services.ngas_fetcher.pool import Group, Job, memory_of
from services.ngas_fetcher.progress import Progress
from services.ngas_fetcher.stop import Stop
from services.ngas_fetcher.target import Target
from shared.errors import BlockFailedError

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Bringing:
    """What a holding needs to be brought: where to, in whose threads, watched by whom.

    Attributes
    ----------
    folder
        Where the keys of its files begin.
    tick
        Called now and then in the thread that waits, every ``interval`` seconds.
    """

    folder: str
    target: Target
    fetcher: FileFetcher
    group: Group
    stop: Stop
    progress: Progress
    interval: float
    tick: Callable[[], None]

    def run(self, jobs: Sequence[Job[T]]) -> list[T]:
        """Run jobs in the pool; see `run_all`."""
        return run_all(self.group, jobs, stop=self.stop, interval=self.interval, tick=self.tick)

    def key(self, path: str) -> str:
        """The key of a file of the ASDM."""
        return f"{self.folder}files/{path}"


class Holding(Protocol):
    """An ASDM that a source has."""

    @property
    def eb_uid(self) -> ExecBlockUid:
        """The execution block."""

    @property
    def content(self) -> str:
        """What the key of the staged ASDM is made from: the same for the same content."""

    @property
    def files_total(self) -> int:
        """Files that have to be brought."""

    @property
    def size(self) -> int:
        """Bytes that have to be brought; 0 if nobody knows."""

    def bring(self, bringing: Bringing) -> tuple[StagedFile, ...]:
        """Bring all of it, checked to be whole, and tell its files in order of their paths.

        Raises
        ------
        BlockFailedError
            If a file is missing or damaged, or the ASDM is not whole.
        DependencyAwayError
            If the source or the target is away.
        FetchAbandonedError
            If told to stop.
        """


@dataclass(frozen=True, kw_only=True)
class Located:
    """An ASDM whose place in NGAS is known, be it many files or one."""

    location: AsdmLocation

    @property
    def eb_uid(self) -> ExecBlockUid:
        """The execution block."""
        return self.location.eb_uid

    @property
    def content(self) -> str:
        """A digest of paths, versions, checksums and sizes."""
        return self.location.content

    @property
    def files_total(self) -> int:
        """Files as they lie there."""
        return len(self.location.files)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return self.location.size


@dataclass(frozen=True, kw_only=True)
class FilesHolding(Located):
    """An ASDM that lies in NGAS file by file."""

    def bring(self, bringing: Bringing) -> tuple[StagedFile, ...]:
        """Bring all files that are not there yet."""
        staged = bring_main_first(
            self.location,
            lambda files: bringing.run([fetch_job(file, partial(_bring, bringing, file)) for file in files]),
            lambda main: bringing.target.open(main.ref),
        )
        return tuple(sorted(staged, key=lambda file: file.path))


def bring_main_first(
    location: AsdmLocation,
    bring: Callable[[Sequence[ArchiveFile]], Sequence[T]],
    read: Callable[[T], AbstractContextManager[Iterable[bytes]]],
    *,
    binaries: bool = True,
) -> tuple[T, ...]:
    """Bring the files of an ASDM, the Main table first, so that one that cannot be whole is not fetched.

    Parameters
    ----------
    location
        The files.
    bring
        Brings some of them.
    read
        Opens the Main table that was brought.
    binaries
        Whether all binary data that the table names have to be among the files.

    Raises
    ------
    BlockFailedError
        If the ASDM is not whole, and what ``bring`` raises.
    """
    main = location.find(MAIN_TABLE)
    if main is None:
        raise BlockFailedError(ReasonCode.ASDM_INCOMPLETE, f"{location.eb_uid}: {MAIN_TABLE} is not among its files")
    (brought,) = bring([main])
    if binaries:
        with read(brought) as chunks:
            check_complete(location.eb_uid, chunks, {file.path for file in location.files})
    # The largest first: what is begun last decides when all is done.
    others = sorted(set(location.files) - {main}, key=lambda file: (-file.size, file.path))
    return (brought, *bring(others))


def fetch_job(file: ArchiveFile, work: Callable[[], T]) -> Job[T]:
    """Make the job that fetches a file."""
    return Job(work=work, host=file.servers[0], memory=memory_of(file.size))


def staged_file(file: ArchiveFile, ref: ObjectRef) -> StagedFile:
    """Tell what became of a file."""
    return StagedFile(
        path=file.path,
        ref=ref,
        archive_file_id=file.file_id,
        archive_version=file.version,
        archive_checksum=str(file.checksum) if file.checksum else None,
    )


def _bring(bringing: Bringing, file: ArchiveFile) -> StagedFile:
    bringing.stop.check()
    key = bringing.key(file.path)
    ref = bringing.fetcher.stored(file, key) or bringing.fetcher.fetch(
        file, key, stop=bringing.stop, on_position=bringing.progress.position(file.path)
    )
    bringing.progress.done(file.path, file.size)
    return staged_file(file, ref)


def on_preferred(files: Sequence[ArchiveFile], hosts: Sequence[str]) -> tuple[ArchiveFile, ...]:
    """Sort the replicas of each file: those that are preferred first, in their order, then the others as they were."""
    rank = {host: number for number, host in enumerate(hosts)}
    return tuple(
        replace(file, servers=tuple(sorted(file.servers, key=lambda server: rank.get(server, len(rank)))))
        for file in files
    )

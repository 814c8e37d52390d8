"""Fetch files and execution blocks into a directory, without any service."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from contracts.identifiers import ExecBlockUid
from services.ngas_fetcher.adapters import client_of, fetcher_of, source_of_asdms
from services.ngas_fetcher.body import CHUNK
from services.ngas_fetcher.checksums import RunningChecksum
from services.ngas_fetcher.completeness import BINARY_DIRECTORY, MAIN_TABLE
from services.ngas_fetcher.errors import FileExistsAlreadyError, LocationUnusableError
from services.ngas_fetcher.folder import Folder
from services.ngas_fetcher.holding import Bringing, FilesHolding, Holding, bring_main_first, fetch_job, on_preferred
from services.ngas_fetcher.location import ArchiveFile, AsdmLocation
from services.ngas_fetcher.locator import holding_of
from services.ngas_fetcher.pool import TransferPool
from services.ngas_fetcher.progress import Progress
from services.ngas_fetcher.report import read_files
from services.ngas_fetcher.settings import NgasFetcherSettings
from services.ngas_fetcher.stop import Stop

_INTERVAL = 0.2


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a person wants, and where it goes.

    Attributes
    ----------
    title
        What it is, for people.
    folder
        Directory below the output directory; empty for the output directory itself.
    holding
        An execution block that is to become one ASDM directory; None if files are wanted as they are.
    files
        The files as the archive has them; empty if nobody knows them before (an export).
    """

    title: str
    folder: str
    holding: Holding | None
    files: tuple[ArchiveFile, ...]

    @property
    def size(self) -> int:
        """Bytes to fetch, as far as they are known."""
        return sum(file.size for file in self.files)


def read_location_file(path: Path, settings: NgasFetcherSettings) -> tuple[ArchiveFile, ...]:
    """Read a location report that a person names.

    Raises
    ------
    LocationUnusableError
        If it cannot be read, or is none.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise LocationUnusableError(f"The location report {path} cannot be read: {error.strerror}") from error
    return on_preferred(read_files(data, origin=str(path), clusters=settings.clusters), settings.hosts)


def files_as_they_are(title: str, files: tuple[ArchiveFile, ...], *, sdm_only: bool) -> Wanted:
    """Want the files of a location report under the paths that it gives them."""
    return Wanted(title=title, folder="", holding=None, files=_chosen(files, sdm_only=sdm_only))


def block_of(eb_uid: ExecBlockUid, holding: Holding, *, sdm_only: bool) -> Wanted:
    """Want an execution block as one ASDM directory, named like ``uid___A002_X1_X2``."""
    location = getattr(holding, "location", None)
    if isinstance(holding, FilesHolding):
        chosen = _chosen(holding.location.files, sdm_only=sdm_only)
        return Wanted(title=eb_uid, folder=eb_uid.file_form, holding=None, files=chosen)
    files = location.files if isinstance(location, AsdmLocation) else ()
    return Wanted(title=eb_uid, folder=eb_uid.file_form, holding=holding, files=files)


def _chosen(files: tuple[ArchiveFile, ...], *, sdm_only: bool) -> tuple[ArchiveFile, ...]:
    return tuple(file for file in files if not (sdm_only and _is_binary(file.path)))


def _is_binary(path: str) -> bool:
    return BINARY_DIRECTORY in path.split("/")[:-1]


class LocalFetch:
    """Fetches into a directory; a context manager that ends its threads and connections.

    Parameters
    ----------
    settings
        Servers and limits.
    output_dir
        Where files go.
    force
        Whether files that are there and differ are replaced.
    sdm_only
        Whether binary data are left out.
    """

    def __init__(self, *, settings: NgasFetcherSettings, output_dir: Path, force: bool, sdm_only: bool) -> None:
        self._settings = settings
        self._output_dir = output_dir
        self._force = force
        self._sdm_only = sdm_only
        self._client = client_of(settings)
        self._pool = TransferPool(threads=settings.transfers, hosts=self._client.hosts, memory=settings.memory)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.close()

    def locate(self, eb_uid: ExecBlockUid, files: tuple[ArchiveFile, ...] | None = None) -> Wanted:
        """Find out what an execution block consists of, from the given files or as the settings say.

        Raises
        ------
        RestoreError
            As `locator.Source.locate` does.
        """
        if files is not None:
            holding = holding_of(AsdmLocation(eb_uid=eb_uid, files=files), self._settings.hosts)
        else:
            fetcher = fetcher_of(self._settings, self._client, Folder(root=self._output_dir))
            holding = source_of_asdms(self._settings, fetcher).locate(eb_uid)
        return block_of(eb_uid, holding, sdm_only=self._sdm_only)

    def fetch(self, wanted: Wanted, *, progress: Progress, tick: Callable[[], None]) -> None:
        """Bring what is wanted; files that are there as the archive has them are left as they are.

        Parameters
        ----------
        wanted
            What to fetch.
        progress
            Told what arrives.
        tick
            Called in this thread a few times a second.

        Raises
        ------
        FileExistsAlreadyError
            If a file is there and is another, unless forced.
        RestoreError
            As `FileFetcher.fetch` and `Folder.put` do.
        """
        with closing(Folder(root=self._output_dir / wanted.folder)) as folder, self._pool.group() as group:
            folder.sweep(file.path for file in wanted.files)
            bringing = Bringing(
                folder="",
                target=folder,
                fetcher=fetcher_of(self._settings, self._client, folder),
                group=group,
                stop=Stop(),
                progress=progress,
                interval=_INTERVAL,
                tick=tick,
            )
            if wanted.holding is None:
                self._fetch_files(wanted, bringing, folder)
            else:
                self._fetch_block(wanted.holding, bringing, folder)

    def _fetch_files(self, wanted: Wanted, bringing: Bringing, folder: Folder) -> None:
        def bring(files: Sequence[ArchiveFile]) -> Sequence[str]:
            return bringing.run([fetch_job(file, partial(self._fetch_file, file, bringing, folder)) for file in files])

        if wanted.folder:
            location = AsdmLocation(eb_uid=ExecBlockUid(wanted.title), files=wanted.files)
            bring_main_first(location, bring, folder.read, binaries=not self._sdm_only)
        else:
            bring(wanted.files)

    def _fetch_file(self, file: ArchiveFile, bringing: Bringing, folder: Folder) -> str:
        bringing.stop.check()
        path = folder.root / file.path
        is_there = path.exists()
        if is_there and not _is_same(path, file):
            if not self._force:
                raise FileExistsAlreadyError(f"{path} exists and is not what the archive has; --force replaces it")
            path.unlink()
            is_there = False
        if not is_there:
            position = bringing.progress.position(file.path)
            bringing.fetcher.fetch(file, file.path, stop=bringing.stop, on_position=position)
        bringing.progress.done(file.path, file.size)
        return file.path

    def _fetch_block(self, holding: Holding, bringing: Bringing, folder: Folder) -> None:
        if (folder.root / MAIN_TABLE).exists() and not self._force:
            raise FileExistsAlreadyError(f"{folder.root} holds an ASDM already; --force replaces its files")
        with folder.aside() as aside:
            brought = holding.bring(replace(bringing, folder=aside))
            # The Main table last: where it is the ASDM is whole, also if this is killed on the way.
            for file in sorted(brought, key=lambda file: file.path == MAIN_TABLE):
                if not (self._sdm_only and _is_binary(file.path)):
                    folder.move(file.ref.key, file.path)


def _is_same(path: Path, file: ArchiveFile) -> bool:
    """Whether a file on disk is the archive's, by size and by the checksum that the archive recorded."""
    if not path.is_file() or path.stat().st_size != file.size:
        return False
    if file.checksum is None:
        return True
    running = RunningChecksum(file.checksum.kind)
    with path.open("rb", buffering=0) as stream:
        while chunk := stream.read(CHUNK):
            running.add(chunk)
    return running.checksum == file.checksum

"""An ASDM from the archive into the object store: file by file, and a manifest last."""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial

import structlog

from contracts.manifests import AsdmManifest, StagedFile
from contracts.messages.parts import ObjectRef
from contracts.reasons import ReasonCode
from services.ngas_fetcher.completeness import MAIN_TABLE, UnreadableMainTableError, binary_paths
from services.ngas_fetcher.fetcher import FileFetcher
from services.ngas_fetcher.location import ArchiveFile, AsdmLocation
from services.ngas_fetcher.parallel import run_all
from services.ngas_fetcher.patience import Stop
from services.ngas_fetcher.progress import Progress
from shared import keys
from shared.errors import BlockFailedError
from shared.objects import ObjectStore

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class StagedAsdm:
    """An ASDM in the store: the reference of its manifest, and whether it was there before."""

    manifest: ObjectRef
    reused: bool


class AsdmStaging:
    """Brings ASDMs into the store.

    Parameters
    ----------
    objects
        The store.
    fetcher
        Fetches single files.
    executor
        The pool in which files are fetched.
    interval
        Seconds between two looks at the progress.
    """

    def __init__(self, *, objects: ObjectStore, fetcher: FileFetcher, executor: Executor, interval: float) -> None:
        self._objects = objects
        self._fetcher = fetcher
        self._executor = executor
        self._interval = interval

    def find(self, location: AsdmLocation) -> ObjectRef | None:
        """Return the manifest if the ASDM is in the store: what has a manifest is whole."""
        found = self._objects.info(_manifest_key(location))
        return found.ref if found else None

    def stage(self, location: AsdmLocation, *, stop: Stop, progress: Progress, tick: Callable[[], None]) -> StagedAsdm:
        """Bring all files that are not there yet, then write the manifest.

        The Main table comes first, so that an ASDM that cannot be whole is not fetched.

        Parameters
        ----------
        location
            The files.
        stop
            Ends the fetch.
        progress
            Told what arrives.
        tick
            Called in this thread now and then.

        Raises
        ------
        BlockFailedError
            If a file is missing or damaged, or the ASDM is not whole.
        DependencyAwayError
            If NGAS or the store is away.
        """
        found = self.find(location)
        if found is not None:
            return StagedAsdm(manifest=found, reused=True)
        job = partial(self._bring, location, stop, progress)
        main = location.find(MAIN_TABLE)
        if main is None:
            raise BlockFailedError(
                ReasonCode.ASDM_INCOMPLETE, f"{location.eb_uid}: {MAIN_TABLE} is not among its files"
            )
        run = partial(run_all, self._executor, stop=stop, interval=self._interval, tick=tick)
        (staged_main,) = run([partial(job, main)])
        self._check_complete(location, staged_main.ref)
        others = run([partial(job, file) for file in location.files if file is not main])
        files = tuple(sorted((staged_main, *others), key=lambda file: file.path))
        manifest = AsdmManifest(eb_uid=location.eb_uid, files=files)
        ref = self._objects.put_bytes(_manifest_key(location), manifest.model_dump_json(indent=1).encode())
        log.info("asdm_staged", eb_uid=location.eb_uid, files=len(files), bytes=manifest.size, manifest=ref.key)
        return StagedAsdm(manifest=ref, reused=False)

    def _bring(self, location: AsdmLocation, stop: Stop, progress: Progress, file: ArchiveFile) -> StagedFile:
        stop.check()
        key = f"{keys.asdm_folder(location.eb_uid, location.content)}files/{file.path}"
        ref = self._fetcher.stored(file, key) or self._fetcher.fetch(
            file, key, stop=stop, on_position=progress.position(file.path)
        )
        progress.done(file.path, file.size)
        return StagedFile(
            path=file.path,
            ref=ref,
            archive_file_id=file.file_id,
            archive_version=file.version,
            archive_checksum=str(file.checksum) if file.checksum else None,
        )

    def _check_complete(self, location: AsdmLocation, main: ObjectRef) -> None:
        try:
            with self._objects.open(main) as chunks:
                named = binary_paths(chunks)
        except UnreadableMainTableError as error:
            raise BlockFailedError(ReasonCode.ASDM_INCOMPLETE, f"{location.eb_uid}: {error}") from error
        lacking = sorted(named - {file.path for file in location.files})
        if lacking:
            raise BlockFailedError(
                ReasonCode.ASDM_INCOMPLETE,
                f"{location.eb_uid}: {MAIN_TABLE} names {len(named)} binary files, "
                f"{len(lacking)} of them are not among its files: {', '.join(lacking[:5])}",
            )


def _manifest_key(location: AsdmLocation) -> str:
    return f"{keys.asdm_folder(location.eb_uid, location.content)}manifest.json"

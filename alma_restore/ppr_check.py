"""Compares a processing request with the folder that it is to be run in."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from alma_restore.surroundings import BadArgumentsError
from contracts.identifiers import ExecBlockUid, InvalidIdentifierError, SessionName
from shared.errors import BlockFailedError, RestoreError
from shared.objects.streams import CHUNK_BYTES
from shared.pipeline_files import PipelineManifest, canonical_product_name, read_calapply, read_manifest
from shared.pipeline_files.archives import Contents, check_caltables, check_flagversions, list_archive
from shared.pipeline_files.ppr.foresight import Foresight

_MANIFEST = "*pipeline_manifest.xml"


def find_folder(tree: Path, foresight: Foresight) -> Path:
    """Return the folder of the MOUS: the one given, or that which the request names below it.

    Raises
    ------
    BadArgumentsError
        If neither has a ``rawdata``.
    """
    for folder in (tree, tree / str(foresight.relative_path)):
        if (folder / "rawdata").is_dir():
            return folder
    raise BadArgumentsError(f"{tree} has no rawdata, neither itself nor in {foresight.relative_path}")


def problems(foresight: Foresight, folder: Path) -> Iterator[str]:
    """Tell what a folder lacks for a request, or contradicts.

    Parameters
    ----------
    foresight
        What the pipeline does with the request.
    folder
        Holds ``rawdata``, ``working`` and ``products``.
    """
    rawdata = folder / "rawdata"
    yield from (f"{name}/ is not in {folder}" for name in ("working", "products") if not (folder / name).is_dir())
    for asdm in foresight.sessions:
        yield from _asdm(asdm, rawdata, folder / "working")
    restore = next((step for step in foresight.steps if step.task.endswith("_restoredata")), None)
    if restore is None:
        return
    copied = restore.parameters.get("copytoraw", True)
    yield from _calibration(foresight, folder / "products" if copied else rawdata)


def _asdm(name: str, rawdata: Path, working: Path) -> Iterator[str]:
    if not (rawdata / name).is_dir():
        hint = f": rename {name}.asdm.sdm to {name}" if (rawdata / f"{name}.asdm.sdm").is_dir() else ""
        yield f"{name} is not in {rawdata}{hint}"
    elif not name.endswith(".ms") and not (rawdata / name / "ASDM.xml").is_file():
        yield f"{rawdata / name} is no ASDM: it has no ASDM.xml"
    if (working / f"{name}.ms").exists():
        yield f"{name}.ms is in {working} already: the pipeline would use it and not import the ASDM"


def _calibration(foresight: Foresight, folder: Path) -> Iterator[str]:
    try:
        manifest = _read_manifest(folder)
        calibration = _Calibration(folder, manifest)
    except RestoreError as error:
        yield str(error)
        return
    mous = str(foresight.structure.get("OUSStatusRef/entityId"))
    if manifest.mous_uid != mous:
        yield f"the manifest is that of {manifest.mous_uid}, the request that of {mous}"
    for asdm, session in foresight.sessions.items():
        try:
            yield from calibration.check(ExecBlockUid(asdm.removesuffix(".ms")), session)
        except (BlockFailedError, InvalidIdentifierError) as error:
            yield f"{asdm}: {error}"


def _read_manifest(folder: Path) -> PipelineManifest:
    found = sorted(folder.glob(_MANIFEST))
    if len(found) > 1:
        found = [path for path in found if path.match("*cal*pipeline_manifest.xml")] or found
    if not found:
        raise BadArgumentsError(f"there is no {_MANIFEST} in {folder}: the pipeline's restore ends without one")
    return read_manifest(found[0].read_bytes())


class _Calibration:
    """The calibration's files in a folder, by the names that the manifest has."""

    def __init__(self, folder: Path, manifest: PipelineManifest) -> None:
        self._folder = folder
        self._manifest = manifest
        self._listed: dict[str, Contents] = {}

    def check(self, eb_uid: ExecBlockUid, session: str) -> Iterator[str]:
        """Tell what is wrong with the calibration of one block; `BlockFailedError` for the first that stops all."""
        calibrated, asdm = self._manifest.find(eb_uid)
        if calibrated.name != session:
            yield f"{eb_uid} goes into {session}, but was calibrated in {calibrated.name} by the manifest"
        files = (calibrated.caltables, asdm.flagversions, asdm.calapply)
        missing = [self._missing(name) for name in files if not (self._folder / name).is_file()]
        yield from missing
        if missing:
            return
        calls = read_calapply((self._folder / asdm.calapply).read_bytes(), eb_uid=eb_uid)
        check_caltables(
            calibrated.caltables,
            self._list(calibrated.caltables),
            calls,
            eb_uid=eb_uid,
            session=SessionName(calibrated.name),
        )
        check_flagversions(asdm.flagversions, self._list(asdm.flagversions), eb_uid=eb_uid)

    def _list(self, name: str) -> Contents:
        if name not in self._listed:
            self._listed[name] = list_archive(name, _chunks(self._folder / name))
        return self._listed[name]

    def _missing(self, name: str) -> str:
        others = _named_alike(self._folder, name)
        hint = f": rename {others[0].name}" if others else ""
        return f"{name}, which the manifest names, is not in {self._folder}{hint}"


def _named_alike(folder: Path, name: str) -> Sequence[Path]:
    canonical = canonical_product_name(name)
    return [path for path in sorted(folder.iterdir()) if canonical_product_name(path.name) == canonical]


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            yield chunk

"""Finds the calibration of one execution block among its products and lays it out for CASA."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from contracts.identifiers import ExecBlockUid
from contracts.messages.parts import NamedRef
from contracts.reasons import ReasonCode
from services.casa_runner.source import Source
from services.casa_runner.unpack import check_tables, unpack
from shared.errors import BlockFailedError
from shared.pipeline_files import ApplyCall, canonical_product_name, read_calapply, read_manifest

_MANIFEST = "pipeline_manifest.xml"
FINAL_FLAGS = "flags.Pipeline_Final"


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """The files that calibrate one execution block, and the manifest that names them."""

    manifest: NamedRef
    caltables: NamedRef
    flagversions: NamedRef
    calapply: NamedRef


def find_calibration(products: Sequence[NamedRef], *, eb_uid: ExecBlockUid, source: Source) -> Calibration:
    """Find the block's calibration by what the pipeline manifest says.

    Raises
    ------
    ManifestError
        If the manifest cannot be used.
    BlockFailedError
        If there is no manifest, or a file that it names was not staged.
    """
    by_name = {canonical_product_name(product.name): product for product in products}
    manifest = _manifest(by_name)
    session, asdm = read_manifest(source.read(manifest.ref)).find(eb_uid)
    return Calibration(
        manifest=manifest,
        caltables=_named(by_name, session.caltables),
        flagversions=_named(by_name, asdm.flagversions),
        calapply=_named(by_name, asdm.calapply),
    )


def _manifest(by_name: dict[str, NamedRef]) -> NamedRef:
    """Choose the manifest; of several the calibration's, as the pipeline does."""
    found = sorted(name for name in by_name if name.endswith(_MANIFEST))
    if not found:
        raise BlockFailedError(ReasonCode.MANIFEST_UNREADABLE, f"none of the products is a {_MANIFEST}")
    return by_name[next((name for name in found if "cal" in name.removesuffix(_MANIFEST)), found[0])]


def _named(by_name: dict[str, NamedRef], name: str) -> NamedRef:
    product = by_name.get(canonical_product_name(name))
    if product is None:
        raise BlockFailedError(ReasonCode.PRODUCTS_INCOMPLETE, f"the manifest names {name}, which was not staged")
    return NamedRef(name=name, ref=product.ref)


def calls_needed(calls: Iterable[ApplyCall], selected: Sequence[str]) -> tuple[ApplyCall, ...]:
    """Leave out calls that touch none of the selected fields: they change rows that are not delivered.

    A call whose fields are given otherwise than by plain names is kept.
    """
    if not selected:
        return tuple(calls)
    return tuple(call for call in calls if not _is_elsewhere(call.field, selected))


def _is_elsewhere(field: str, selected: Sequence[str]) -> bool:
    names = [name.strip() for name in field.split(",")]
    are_plain = all(name and not name.isdigit() and not set(name) & set("*?~<>/{}[]\"';:") for name in names)
    return are_plain and not set(names) & set(selected)


def read_calls(calibration: Calibration, *, eb_uid: ExecBlockUid, source: Source) -> tuple[ApplyCall, ...]:
    """Read the applycal calls of a calibration.

    Raises
    ------
    BlockFailedError
        If they would calibrate wrongly (``calapply_invalid``).
    """
    return read_calapply(source.read(calibration.calapply.ref), eb_uid=eb_uid)


def lay_out(
    calibration: Calibration,
    calls: Iterable[ApplyCall],
    *,
    eb_uid: ExecBlockUid,
    source: Source,
    rawdata: Path,
    working: Path,
    limit: int,
) -> None:
    """Write the calibration where CASA looks for it.

    Parameters
    ----------
    calls
        Its applycal calls, whose tables are wanted.
    rawdata
        Where the archives go as they are.
    working
        Where caltables and flag versions are unpacked.
    limit
        Most bytes that one archive may unpack to.

    Raises
    ------
    BlockFailedError
        If an archive is damaged or a table that is to be applied is in none.
    """
    flags = f"{eb_uid.file_form}.ms.flagversions"
    tables = {table for call in calls for table in call.gaintable}
    for product, wanted in ((calibration.flagversions, {flags}), (calibration.caltables, tables)):
        archive = rawdata / product.name
        source.fetch_to(product.ref, archive)
        unpack(archive, working, wanted=wanted, limit=limit, heed=source.heed)
    check_tables(working / flags, [FINAL_FLAGS], f"{calibration.flagversions.name} lacks the flags that are restored")

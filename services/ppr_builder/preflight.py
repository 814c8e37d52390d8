"""Checks that tables, manifest and staged products agree, before any CASA time is spent."""

import re
from collections.abc import Iterable, Mapping, Sequence

from contracts.identifiers import ExecBlockUid, SessionName
from contracts.messages.parts import LackingProduct, MousStructure, NamedRef, ObjectRef
from contracts.reasons import ReasonCode
from shared.errors import BlockFailedError
from shared.pipeline_files import ManifestError, PipelineManifest, canonical_product_name

_MANIFEST_SUFFIX = "pipeline_manifest.xml"
_RECIPE = re.compile(r"\.(h[a-z]*_[a-z_]+)\.", re.ASCII)


def has_manifest(products: Sequence[NamedRef]) -> bool:
    """Whether a pipeline manifest was staged; packages before October 2017 have none."""
    return any(product.name.endswith(_MANIFEST_SUFFIX) for product in products)


def recipe_in(name: str) -> str | None:
    """Return the recipe that is part of a manifest's name, for manifests that do not name it; None if none is."""
    found = _RECIPE.search(name)
    return None if found is None else found[1]


def find_manifest(products: Sequence[NamedRef]) -> NamedRef:
    """Return the pipeline manifest among the staged products.

    With several, that of the calibration is meant, as in the pipeline's restore.

    Raises
    ------
    ManifestError
        If there is none, or it is unclear which of several is meant.
    """
    found = [product for product in products if product.name.endswith(_MANIFEST_SUFFIX)]
    if not found:
        raise ManifestError(f"no pipeline manifest was staged, only {_told(product.name for product in products)}")
    distinct = list({product.ref.sha256: product for product in found}.values())
    if len(distinct) > 1:
        distinct = [product for product in distinct if "cal" in product.name]
    if len(distinct) != 1:
        raise ManifestError(f"several pipeline manifests were staged: {_told(product.name for product in found)}")
    return distinct[0]


def check_sessions(structure: MousStructure, manifest: PipelineManifest) -> None:
    """Compare the sessions of the archive's tables with those that the calibration was made with.

    Sessions without execution blocks are in the tables only: they keep the
    numbers of those after them.

    Raises
    ------
    ManifestError
        If the manifest is that of another MOUS.
    BlockFailedError
        With ``SESSIONS_DISAGREE`` and both lists, if a session's name or blocks differ.
    """
    if manifest.mous_uid != structure.mous_uid:
        raise ManifestError(f"the manifest is that of {manifest.mous_uid}, not of {structure.mous_uid}")
    tables = {str(session.name): session.execution_blocks for session in structure.sessions}
    listed = [session.name for session in structure.sessions]
    numbered = listed == [SessionName.numbered(number) for number in range(1, len(listed) + 1)]
    if not numbered or _filled(tables) != _filled(manifest.blocks_by_session):
        raise BlockFailedError(
            ReasonCode.SESSIONS_DISAGREE,
            f"sessions of {structure.mous_uid} in the archive's tables: {_sessions_told(tables)}; "
            f"in the pipeline manifest: {_sessions_told(manifest.blocks_by_session)}",
        )


def check_lacking(lacking: Iterable[LackingProduct], manifest: PipelineManifest, eb_uid: ExecBlockUid) -> None:
    """Make sure that a block needs none of the products that could not be had.

    Raises
    ------
    ManifestError
        If the manifest does not list the block.
    BlockFailedError
        With what the fetcher found, if the manifest lists one of them for the block.
    """
    wanted = {canonical_product_name(name) for name in _listed(manifest, eb_uid)}
    for product in lacking:
        if canonical_product_name(product.name) in wanted:
            raise BlockFailedError(product.reason, f"{product.detail}; the pipeline manifest lists it")


def select_products(
    products: Sequence[NamedRef], manifest_file: NamedRef, manifest: PipelineManifest, eb_uid: ExecBlockUid
) -> tuple[NamedRef, ...]:
    """Return the products that one execution block needs, under the names by which the manifest knows them.

    These are the manifest, the session's calibration tables, and the block's flag
    versions and applycal calls. A staged name is taken with or without what the
    archive adds to it.

    Raises
    ------
    ManifestError
        If the manifest does not list the block.
    BlockFailedError
        With ``PRODUCTS_INCOMPLETE``, if one was not staged, or two different ones under one name.
    """
    found = [(name, _staged_as(name, products)) for name in _listed(manifest, eb_uid)]
    missing = [name for name, refs in found if not refs]
    unclear = [name for name, refs in found if len(refs) > 1]
    if missing or unclear:
        raise BlockFailedError(
            ReasonCode.PRODUCTS_INCOMPLETE,
            f"named by {manifest_file.name} and not staged: {_told(missing)}; "
            f"staged with different contents: {_told(unclear)}; "
            f"staged: {_told(product.name for product in products)}",
        )
    own_name = canonical_product_name(manifest_file.name)
    return (NamedRef(name=own_name, ref=manifest_file.ref), *(NamedRef(name=name, ref=refs[0]) for name, refs in found))


def _listed(manifest: PipelineManifest, eb_uid: ExecBlockUid) -> tuple[str, ...]:
    session, asdm = manifest.find(eb_uid)
    return session.caltables, asdm.flagversions, asdm.calapply


def _staged_as(name: str, products: Sequence[NamedRef]) -> list[ObjectRef]:
    canonical = canonical_product_name(name)
    refs = {
        product.ref.sha256: product.ref for product in products if canonical_product_name(product.name) == canonical
    }
    return list(refs.values())


def _filled(sessions: Mapping[str, Iterable[ExecBlockUid]]) -> dict[str, frozenset[ExecBlockUid]]:
    return {name: frozenset(blocks) for name, blocks in sessions.items() if blocks}


def _sessions_told(sessions: Mapping[str, Iterable[ExecBlockUid]]) -> str:
    return "; ".join(f"{name} = {_told(blocks)}" for name, blocks in sessions.items())


def _told(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"

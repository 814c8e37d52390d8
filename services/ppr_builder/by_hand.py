"""Decides how a block was calibrated, and checks what a calibration by hand needs."""

from collections.abc import Sequence
from dataclasses import dataclass

from contracts.identifiers import ExecBlockUid
from contracts.messages import ArtefactsStaged
from contracts.messages.parts import CalibrationKind, MousStructure, NamedRef, ProductFile, ProductKind
from contracts.reasons import ReasonCode
from shared.errors import BlockFailedError
from shared.objects import IntegrityError, ObjectMissingError, ObjectStore
from shared.pipeline_files.calibration_script import MAX_BYTES, casa_version_of


@dataclass(frozen=True, kw_only=True)
class HandMade:
    """What a block's calibration by hand consists of.

    Attributes
    ----------
    products
        The block's script, scriptForPI, what else scripts of the MOUS need.
    casa_version
        The CASA that the block's script accepts.
    """

    products: tuple[NamedRef, ...]
    casa_version: str


def calibration_of(structure: MousStructure, eb_uid: ExecBlockUid) -> CalibrationKind:
    """Tell whether a block is restored from its tables or by its script.

    Raises
    ------
    BlockFailedError
        If a script of the whole MOUS changes what its blocks' own give, and there are several blocks
        (``calibrated_together``), or if a block has both tables and a script (``calibration_unclear``).
    """
    if structure.calibration is CalibrationKind.PIPELINE:
        return CalibrationKind.PIPELINE
    own = _of_block(structure, ProductKind.CALIBRATION_SCRIPT, eb_uid)
    together = _of_mous(structure)
    if together and not (own and len(structure.execution_blocks) == 1):
        raise BlockFailedError(
            ReasonCode.CALIBRATED_TOGETHER,
            f"{_told(together)} works on all {len(structure.execution_blocks)} execution blocks of the MOUS",
        )
    tables = _of_block(structure, ProductKind.CALAPPLY, eb_uid)
    if own and tables:
        raise BlockFailedError(
            ReasonCode.CALIBRATION_UNCLEAR, f"{eb_uid} has both {_told(own)} and {_told(tables)}: which one counts?"
        )
    if own or structure.calibration is CalibrationKind.MANUAL:
        return CalibrationKind.MANUAL
    return CalibrationKind.PIPELINE


def check_hand_made(staged: ArtefactsStaged, objects: ObjectStore) -> HandMade:
    """Choose the scripts of a block, all of which are there, and find out which CASA they need.

    Raises
    ------
    BlockFailedError
        If one is missing (``products_incomplete``), or the block's does not say which CASA it needs.
    """
    kinds = {product.file_id: product for product in staged.structure.products}
    scripts = [each for each in staged.products if _is(kinds, each, ProductKind.CALIBRATION_SCRIPT)]
    own = [each for each in scripts if kinds[each.name].eb_uid == staged.eb_uid]
    for_pi = [each for each in staged.products if _is(kinds, each, ProductKind.SCRIPT_FOR_PI)]
    if len(own) != 1 or len(for_pi) != 1:
        raise BlockFailedError(
            ReasonCode.PRODUCTS_INCOMPLETE,
            f"one scriptForCalibration of {staged.eb_uid} and one scriptForPI are needed; "
            f"staged: {', '.join(each.name for each in staged.products) or 'none'}",
        )
    of_mous = [each for each in scripts if kinds[each.name].eb_uid is None]
    more = [each for each in staged.products if _is(kinds, each, ProductKind.AUX_PRODUCTS)]
    return HandMade(
        products=(*own, *for_pi, *of_mous, *more),
        casa_version=casa_version_of(_read(own[0], objects), name=own[0].name),
    )


def _read(product: NamedRef, objects: ObjectStore) -> bytes:
    try:
        if product.ref.size <= MAX_BYTES:
            return objects.read(product.ref)
    except (ObjectMissingError, IntegrityError) as error:
        raise BlockFailedError(ReasonCode.PRODUCTS_INCOMPLETE, f"{product.name} cannot be read: {error}") from error
    raise BlockFailedError(
        ReasonCode.PRODUCTS_INCOMPLETE, f"{product.name} has {product.ref.size} bytes, which no such file has"
    )


def _is(kinds: dict[str, ProductFile], product: NamedRef, kind: ProductKind) -> bool:
    return product.name in kinds and kinds[product.name].kind is kind


def _of_block(structure: MousStructure, kind: ProductKind, eb_uid: ExecBlockUid) -> list[ProductFile]:
    return [each for each in structure.products if each.kind is kind and each.eb_uid == eb_uid]


def _of_mous(structure: MousStructure) -> list[ProductFile]:
    return [each for each in structure.products if each.kind is ProductKind.CALIBRATION_SCRIPT and each.eb_uid is None]


def _told(products: Sequence[ProductFile]) -> str:
    return ", ".join(product.file_id for product in products)

"""Choose among several calibrations of a MOUS, so that one restore is made of one calibration's files."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from contracts.messages.parts import ProductFile, ProductKind

_ONE_OF_A_KIND = frozenset(
    {
        ProductKind.MANIFEST,
        ProductKind.CALTABLES,
        ProductKind.AUX_CALTABLES,
        ProductKind.FLAGVERSIONS,
        ProductKind.CALAPPLY,
        ProductKind.PPREQUEST,
        ProductKind.RESTORE_SCRIPT,
        ProductKind.PIPE_SCRIPT,
        ProductKind.AUX_PRODUCTS,
    }
)
"""Kinds of which a calibration has one file per MOUS, session or execution block; of scripts it may have several."""

_RECIPE = re.compile(r"(?:^|\.)uid___a[0-9a-f]{3}_x[0-9a-f]+_x[0-9a-f]+\.(?P<recipe>h[a-z]*_[a-z_]+)", re.IGNORECASE)
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Chosen:
    """The files of one calibration, and what there was to choose, for the status."""

    products: tuple[ProductFile, ...]
    notes: tuple[str, ...] = ()
    ingested: datetime | None = None


def choose(products: Sequence[ProductFile], dates: Mapping[str, datetime]) -> Chosen:
    """Keep the newest file of each kind, session and execution block, and say what was left out.

    Files of imaging runs have manifests too, but no calibration: those of runs
    that calibrate go first, as in the pipeline's own restore. Where the dates
    are not known, the newer spelling of the archive counts.

    Parameters
    ----------
    products
        All product files of a MOUS that a restore can need.
    dates
        When files came into the archive, UTC, by file id, as far as known.
    """
    slots: dict[object, list[ProductFile]] = {}
    for product in products:
        slots.setdefault(_slot(product), []).append(product)
    best = {slot: max(files, key=lambda file: _rank(file, files, dates)) for slot, files in slots.items()}
    kept = tuple(product for product in products if best[_slot(product)] is product)
    notes = tuple(
        _note(best[slot], files, dates) for slot, files in slots.items() if len(files) > 1 and _matters(files[0])
    )
    known = [dates[product.file_id] for product in kept if product.file_id in dates]
    return Chosen(kept, notes, max(known, default=None))


def _slot(product: ProductFile) -> object:
    if product.kind not in _ONE_OF_A_KIND:
        return product.file_id
    return product.kind, product.session, product.eb_uid


def _matters(product: ProductFile) -> bool:
    """Whether the choice is one between calibrations; of scripts and requests the restore uses none."""
    return product.kind in {
        ProductKind.MANIFEST,
        ProductKind.CALTABLES,
        ProductKind.FLAGVERSIONS,
        ProductKind.CALAPPLY,
    }


def _rank(product: ProductFile, rivals: Sequence[ProductFile], dates: Mapping[str, datetime]) -> tuple[object, ...]:
    recipe = _recipe(product)
    dated = all(rival.file_id in dates for rival in rivals)
    return (
        recipe is None or "cal" in recipe,
        dates[product.file_id] if dated else _NEVER,
        product.file_id.startswith("member."),
        product.file_id.endswith(".tgz"),
        # A calibration that was made anew has a longer recipe: hifa_calimage, then hifa_calimage_renorm.
        len(recipe or ""),
        product.file_id,
    )


def _recipe(product: ProductFile) -> str | None:
    found = _RECIPE.search(product.file_id)
    return found["recipe"].lower() if found else None


def _note(best: ProductFile, files: Sequence[ProductFile], dates: Mapping[str, datetime]) -> str:
    others = ", ".join(_named(file, dates) for file in files if file is not best)
    dated = all(file.file_id in dates for file in files)
    why = "the newest" if dated else "by its name, since their dates are not known"
    return f"{len(files)} calibrations are in the archive: {_named(best, dates)} is used ({why}), not {others}"


def _named(product: ProductFile, dates: Mapping[str, datetime]) -> str:
    date = dates.get(product.file_id)
    return product.file_id if date is None else f"{product.file_id} of {date:%Y-%m-%d}"

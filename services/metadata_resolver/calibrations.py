"""Choose among several calibrations of a MOUS, so that one restore is made of one calibration's files."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from contracts.messages.parts import ProductFile, ProductKind
from shared.pipeline_files import canonical_product_name

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

_LISTED = frozenset({ProductKind.CALTABLES, ProductKind.FLAGVERSIONS, ProductKind.CALAPPLY})
"""Kinds that a manifest lists and a restore reads."""

_PREFIX = "member."
_MOUS = r"(?:^|\.)uid___a[0-9a-f]{3}_x[0-9a-f]+_x[0-9a-f]+"
_RECIPE = re.compile(rf"{_MOUS}\.(?P<recipe>h[a-z]*_[a-z_]+)", re.IGNORECASE)
_OF_MOUS = re.compile(_MOUS, re.IGNORECASE)
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Chosen:
    """The files of one calibration, and what there was to choose, for the status."""

    products: tuple[ProductFile, ...]
    notes: tuple[str, ...] = ()
    ingested: datetime | None = None


def choose(products: Sequence[ProductFile], dates: Mapping[str, datetime]) -> Chosen:
    """Choose the newest manifest, keep what can belong to its calibration, and say what was left out.

    Which tables a manifest means is not told by dates, since a calibration need
    not be archived in one go. It is told by names, where they have a recipe or the
    archive's prefix; where they leave it open all are passed on, and the list in
    the manifest, which is read later, decides. Without a manifest the newest file
    of each kind, session and execution block is kept.

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
    calibration = _Calibration.newest([file for file in products if file.kind is ProductKind.MANIFEST], dates)
    kept = {slot: calibration.files_among(files) for slot, files in slots.items()}
    certain = [files[0].file_id for files in kept.values() if len(files) == 1]
    passed_on = {id(file) for files in kept.values() for file in files}
    return Chosen(
        products=tuple(product for product in products if id(product) in passed_on),
        notes=tuple(
            calibration.note(kept[slot], files)
            for slot, files in slots.items()
            if _matters(files[0]) and (len(files) > 1 or not kept[slot])
        ),
        ingested=max((dates[name] for name in certain if name in dates), default=None),
    )


@dataclass(frozen=True, kw_only=True)
class _Calibration:
    """The calibration that is restored.

    Attributes
    ----------
    manifest
        Its manifest; None if no calibration of the MOUS has one.
    others
        Manifests of the MOUS's other calibrations.
    dates
        When files came into the archive, UTC, by file id, as far as known.
    """

    manifest: ProductFile | None
    others: tuple[ProductFile, ...]
    dates: Mapping[str, datetime]

    @classmethod
    def newest(cls, manifests: Sequence[ProductFile], dates: Mapping[str, datetime]) -> "_Calibration":
        newest = max(manifests, key=lambda file: _rank(file, manifests, dates), default=None)
        others = tuple(file for file in manifests if file is not newest and _calibrates(_recipe(file)))
        return cls(manifest=newest, others=others, dates=dates)

    def files_among(self, rivals: Sequence[ProductFile]) -> tuple[ProductFile, ...]:
        """Return those of one kind, session and block that can belong to it: several only if the manifest can tell."""
        if self.manifest is None or rivals[0].kind not in _LISTED:
            return (self._best(rivals),)
        spelled: dict[str, list[ProductFile]] = {}
        for file in rivals:
            if not self._is_of_another(file):
                spelled.setdefault(canonical_product_name(file.file_id), []).append(file)
        return tuple(self._best(files) for files in spelled.values())

    def note(self, kept: Sequence[ProductFile], files: Sequence[ProductFile]) -> str:
        """Tell what was used of these and why."""
        used = ", ".join(map(self._named, kept))
        others = ", ".join(self._named(file) for file in files if not any(file is one for one in kept))
        manifest = self.manifest.file_id if self.manifest else ""
        if not kept:
            return f"not used, since not of the calibration of {manifest}: {others}"
        told = (
            f"{used} is used ({self._why(files)})"
            if len(kept) == 1
            else f"of {used} that which {manifest} lists is used"
        )
        return f"{len(files)} calibrations are in the archive: {told}" + (f", not {others}" if others else "")

    def _why(self, files: Sequence[ProductFile]) -> str:
        if self.manifest and self.manifest not in files and not all(map(self._fits, files)):
            return f"by its name that of {self.manifest.file_id}"
        dated = all(file.file_id in self.dates for file in files)
        return "the newest" if dated else "by its name, since their dates are not known"

    def _best(self, rivals: Sequence[ProductFile]) -> ProductFile:
        return max(rivals, key=lambda file: (self._fits(file), _rank(file, rivals, self.dates)))

    def _fits(self, file: ProductFile) -> bool:
        return self.manifest is None or _is_named_as(file, self.manifest)

    def _is_of_another(self, file: ProductFile) -> bool:
        return not self._fits(file) and any(_is_named_as(file, other) for other in self.others)

    def _named(self, product: ProductFile) -> str:
        date = self.dates.get(product.file_id)
        return product.file_id if date is None else f"{product.file_id} of {date:%Y-%m-%d}"


def _slot(product: ProductFile) -> object:
    if product.kind not in _ONE_OF_A_KIND:
        return product.file_id
    return product.kind, product.session, product.eb_uid


def _matters(product: ProductFile) -> bool:
    """Whether the choice is one between calibrations; of scripts and requests the restore uses none."""
    return product.kind is ProductKind.MANIFEST or product.kind in _LISTED


def _rank(product: ProductFile, rivals: Sequence[ProductFile], dates: Mapping[str, datetime]) -> tuple[object, ...]:
    recipe = _recipe(product)
    dated = all(rival.file_id in dates for rival in rivals)
    return (
        _calibrates(recipe),
        dates[product.file_id] if dated else _NEVER,
        product.file_id.startswith(_PREFIX),
        product.file_id.endswith(".tgz"),
        # A calibration that was made anew has a longer recipe: hifa_calimage, then hifa_calimage_renorm.
        len(recipe or ""),
        product.file_id,
    )


def _calibrates(recipe: str | None) -> bool:
    return recipe is None or "cal" in recipe


def _recipe(product: ProductFile) -> str | None:
    found = _RECIPE.search(product.file_id)
    return found["recipe"].lower() if found else None


def _is_named_as(file: ProductFile, manifest: ProductFile) -> bool:
    """Whether neither recipe nor prefix of a file's name are others than those of a manifest's name."""
    recipes = _recipe(file), _recipe(manifest)
    prefixes = _is_prefixed(file), _is_prefixed(manifest)
    return all(None in pair or pair[0] == pair[1] for pair in (recipes, prefixes))


def _is_prefixed(product: ProductFile) -> bool | None:
    """Whether the archive's prefix is before the name; None for files of a block or of no MOUS, which never have it."""
    if product.eb_uid is not None or not _OF_MOUS.search(product.file_id):
        return None
    return product.file_id.startswith(_PREFIX)

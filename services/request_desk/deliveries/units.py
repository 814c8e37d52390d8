"""What lies in the store that can be made or fetched again: in units that are kept or removed as a whole."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from shared.objects import ObjectStore


class Kind(StrEnum):
    """What a unit holds; the folder below which such units lie is its value."""

    PRODUCT = "products"
    ASDM = "asdm"
    CALIBRATION = "calibration"
    PPR = "ppr"
    LOGS = "logs"


_LEVELS = {Kind.PRODUCT: 2, Kind.ASDM: 2, Kind.CALIBRATION: 1, Kind.PPR: 2, Kind.LOGS: 1}
"""How many folders lead to a unit: ``products/<EB>/<restore key>/``, ``calibration/<MOUS>/``."""


@dataclass(frozen=True)
class Unit:
    """A folder of the store.

    Attributes
    ----------
    kind
        What it holds.
    folder
        Its prefix, with a slash at the end.
    """

    kind: Kind
    folder: str

    @property
    def owner(self) -> str:
        """The execution block or MOUS (as in file names), or the request, that it belongs to."""
        return self.folder.split("/")[1]

    @property
    def manifest(self) -> str | None:
        """Key of the manifest by which the unit is found for reuse; None for kinds that have none."""
        return f"{self.folder}manifest.json" if self.kind in (Kind.PRODUCT, Kind.ASDM) else None


def unit_of(folder: str) -> Unit:
    """Return the unit in a folder."""
    return Unit(Kind(folder.partition("/")[0]), folder)


def product_of(key: str) -> str:
    """Return the folder of the product that a delivered file belongs to."""
    return "/".join(key.split("/")[:3]) + "/"


def list_units(objects: ObjectStore) -> Iterator[Unit]:
    """List all units; no object is read."""
    for kind in Kind:
        for folder in _below(objects, f"{kind}/", _LEVELS[kind]):
            yield Unit(kind, folder)


def _below(objects: ObjectStore, prefix: str, levels: int) -> Iterator[str]:
    for folder in objects.folders(prefix):
        if levels == 1:
            yield folder
        else:
            yield from _below(objects, folder, levels - 1)

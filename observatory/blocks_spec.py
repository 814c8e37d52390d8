"""What a synthetic execution block is to be, and what one that exists consists of."""

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

from contracts.identifiers import ExecBlockUid, MousUid, SessionName
from observatory.casa_scripts.layout import BLOCK_FACTS, BlockLayout
from observatory.casa_scripts.plan import BlockSize

_PACKAGE = Path(__file__).parent
# A change in any of these makes other data.
_GENERATOR_SOURCES = (*sorted((_PACKAGE / "casa_scripts").glob("*.py")), _PACKAGE / "calibration.py")


@dataclass(frozen=True, kw_only=True)
class BlockSpec:
    """Which execution block to make.

    Attributes
    ----------
    eb_uid, mous_uid
        Canonical UIDs; both go into the ASDM.
    session
        The session the pipeline processed it in.
    seed
        Other seeds give other antennas and other noise; so do other ``eb_uid``.
    """

    eb_uid: ExecBlockUid
    mous_uid: MousUid
    session: SessionName
    size: BlockSize = BlockSize.SMALL
    seed: int = 1

    @property
    def order(self) -> dict[str, object]:
        """What its maker has to know; the session changes nothing in the data."""
        return {"eb_uid": str(self.eb_uid), "mous_uid": str(self.mous_uid), "size": self.size.value, "seed": self.seed}

    @property
    def cache_key(self) -> str:
        """The name of the block's directory in the cache: the same spec, generator and CASA, the same name."""
        made_by = json.dumps([self.order, version("casatools"), version("casatasks"), _generator_hash()])
        digest = hashlib.sha256(made_by.encode()).hexdigest()[:12]
        return f"{self.eb_uid.file_form}-{self.size}-{digest}"


@cache
def _generator_hash() -> str:
    digest = hashlib.sha256()
    for path in _GENERATOR_SOURCES:
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


@dataclass(frozen=True, kw_only=True)
class FieldFlux:
    """The flux density (Jy) that a field has in one spectral window."""

    field: str
    spw: int
    flux_jy: float


@dataclass(frozen=True, kw_only=True)
class BlockFacts:
    """What is true of a made block.

    Attributes
    ----------
    rows
        Rows of the MeasurementSet, and of the truth, which keeps flagged ones.
    fields, calibrators
        Names of all fields, and of those that are not the science target.
    casa_version
        As CASA says it, such as ``6.7.0-31``.
    """

    rows: int
    fields: tuple[str, ...]
    calibrators: tuple[str, ...]
    antennas: tuple[str, ...]
    fluxes: tuple[FieldFlux, ...]
    flag_commands: tuple[str, ...]
    casa_version: str


@dataclass(frozen=True, kw_only=True)
class MadeBlock:
    """An execution block on disk; nothing below ``root`` is to be changed.

    Attributes
    ----------
    root
        Its directory in the cache.
    """

    spec: BlockSpec
    root: Path
    facts: BlockFacts

    @classmethod
    def load(cls, spec: BlockSpec, root: Path) -> "MadeBlock":
        """Read a block that was made before."""
        raw = json.loads((root / BLOCK_FACTS).read_text())
        facts = BlockFacts(
            rows=raw["rows"],
            casa_version=raw["casa_version"],
            fluxes=tuple(FieldFlux(field=field, spw=spw, flux_jy=flux) for field, spw, flux in raw["fluxes"]),
            **{name: tuple(raw[name]) for name in ("fields", "calibrators", "antennas", "flag_commands")},
        )
        return cls(spec=spec, root=root, facts=facts)

    @property
    def layout(self) -> BlockLayout:
        """Where its parts lie."""
        return BlockLayout(root=self.root, eb_uid=self.spec.eb_uid)

    @property
    def ms_name(self) -> str:
        """The name of the block's MeasurementSet, ``uid___A002_Xc7111c_X3979.ms``."""
        return self.layout.ms_name

    @property
    def asdm(self) -> Path:
        """The ASDM directory, named ``uid___A002_Xc7111c_X3979``."""
        return self.layout.asdm

    @property
    def caltables(self) -> tuple[Path, ...]:
        """The caltables' directories, by name."""
        return tuple(sorted(self.layout.caltables.iterdir()))

    @property
    def flagversions(self) -> Path:
        """The directory ``<EB>.ms.flagversions`` with the version Pipeline_Final."""
        return self.layout.flagversions

    @property
    def calapply(self) -> Path:
        """The text file ``<EB>.ms.calapply.txt``."""
        return self.layout.calapply

    @property
    def truth(self) -> Path:
        """``<EB>.ms.split.cal``: the corrected data of the original calibration, all fields."""
        return self.layout.truth

"""The observing plan of a synthetic execution block: antennas, spectral windows, fields and scans."""

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

# exportasdm cuts subscans at multiples of this, counted from the first
# integration: scans that begin and end on it never share a binary file.
SUBSCAN_S = 30
OBSERVING_START = "2018/10/01/08:00:00"


class BlockSize(StrEnum):
    """How much data an execution block holds; the ASDM takes about 7 MB, 140 MB or 1 GB."""

    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"


class Intent(StrEnum):
    """What a scan is for, in the words of an ASDM's Scan table."""

    BANDPASS = "CALIBRATE_BANDPASS"
    FLUX = "CALIBRATE_FLUX"
    PHASE = "CALIBRATE_PHASE"
    TARGET = "OBSERVE_TARGET"

    @property
    def pipeline_name(self) -> str:
        """The intent in the words of the pipeline's ``calapply.txt``."""
        return {"CALIBRATE_FLUX": "AMPLITUDE"}.get(self.value, self.value.rpartition("_")[2])


@dataclass(frozen=True, kw_only=True)
class FieldPlan:
    """One field: its position (J2000, radians), flux density at band centre (Jy) and purpose."""

    name: str
    ra_rad: float
    dec_rad: float
    flux_jy: float
    intent: Intent


@dataclass(frozen=True, kw_only=True)
class ScanPlan:
    """One scan: seconds from the start of the block, and the field it looks at."""

    number: int
    start_s: int
    end_s: int
    field: FieldPlan


@dataclass(frozen=True, kw_only=True)
class ObservingPlan:
    """All that a simulated observation needs to know before any number is drawn."""

    antenna_count: int
    spw_count: int
    channel_count: int
    integration_s: float
    fields: tuple[FieldPlan, ...]
    scans: tuple[ScanPlan, ...]

    @property
    def antenna_names(self) -> tuple[str, ...]:
        """Antennas named as ALMA's twelve metre ones of the European contractor."""
        return tuple(f"DA{41 + number}" for number in range(self.antenna_count))

    @property
    def channel_width_hz(self) -> float:
        """Channel width of every spectral window; each is 2 GHz wide."""
        return 2e9 / self.channel_count

    def first_channel_hz(self, spw: int) -> float:
        """Sky frequency of a spectral window's first channel, in band 6."""
        return 230e9 + 2.5e9 * spw

    def channels_hz(self, spw: int) -> npt.NDArray[np.float64]:
        """Sky frequencies of a spectral window's channels, shape (channels,)."""
        numbers = np.arange(self.channel_count, dtype=np.float64)
        return self.first_channel_hz(spw) + self.channel_width_hz * numbers

    def field_for(self, intent: Intent) -> FieldPlan:
        """Give the field that is observed for this purpose."""
        return next(field for field in self.fields if field.intent is intent)

    @property
    def edge_channels(self) -> int:
        """How many channels the pipeline flags at each edge of a spectral window."""
        return max(1, self.channel_count // 16)


def _radians(hours: float, degrees: float) -> tuple[float, float]:
    return math.radians(hours * 15), math.radians(degrees)


def _field(name: str, hours: float, degrees: float, flux_jy: float, intent: Intent) -> FieldPlan:
    ra_rad, dec_rad = _radians(hours, degrees)
    return FieldPlan(name=name, ra_rad=ra_rad, dec_rad=dec_rad, flux_jy=flux_jy, intent=intent)


BANDPASS_FIELD = _field("J0510+1800", 5.16732, 18.01155, 2.4, Intent.BANDPASS)
FLUX_FIELD = _field("J0423-0120", 4.38772, -1.34252, 3.1, Intent.FLUX)
PHASE_FIELD = _field("J0321+1234", 3.36475, 12.58222, 0.7, Intent.PHASE)
TARGET_FIELD = _field("HLX_Target", 3.50000, 12.00000, 0.25, Intent.TARGET)
FIELDS = (BANDPASS_FIELD, FLUX_FIELD, PHASE_FIELD, TARGET_FIELD)


def _scans(visits: list[tuple[FieldPlan, int]]) -> tuple[ScanPlan, ...]:
    scans, clock = [], 0
    for number, (field, seconds) in enumerate(visits, start=1):
        scans.append(ScanPlan(number=number, start_s=clock, end_s=clock + seconds, field=field))
        clock += seconds + SUBSCAN_S
    return tuple(scans)


def _visits(*, bandpass_s: int, flux_s: int, target_s: int, cycles: int) -> list[tuple[FieldPlan, int]]:
    loop = [(PHASE_FIELD, SUBSCAN_S), (TARGET_FIELD, target_s)] * cycles
    return [(BANDPASS_FIELD, bandpass_s), (FLUX_FIELD, flux_s), *loop, (PHASE_FIELD, SUBSCAN_S)]


def observing_plan(size: BlockSize) -> ObservingPlan:
    """Lay out an execution block of the size asked for."""
    match size:
        case BlockSize.SMALL:
            shape = (8, 2, 32, 6.0)
            visits = _visits(bandpass_s=180, flux_s=120, target_s=90, cycles=5)
        case BlockSize.MEDIUM:
            shape = (10, 2, 128, 3.0)
            visits = _visits(bandpass_s=300, flux_s=180, target_s=180, cycles=5)
        case BlockSize.LARGE:
            shape = (16, 4, 128, 3.0)
            visits = _visits(bandpass_s=300, flux_s=180, target_s=240, cycles=6)
    antennas, spws, channels, integration_s = shape
    return ObservingPlan(
        antenna_count=antennas,
        spw_count=spws,
        channel_count=channels,
        integration_s=integration_s,
        fields=FIELDS,
        scans=_scans(visits),
    )

"""What the correlator sees: source visibilities, corrupted by antennas and noise, in numpy alone."""

import math
import zlib
from dataclasses import dataclass
from typing import Self, TypeAlias

import numpy as np
import numpy.typing as npt

from observatory.casa_scripts.plan import FieldPlan, Intent, ObservingPlan

Complexes: TypeAlias = npt.NDArray[np.complex64]
Reals: TypeAlias = npt.NDArray[np.float64]

POLARISATIONS = 2
JY_PER_K = 40.0
SPECTRAL_INDEX = -0.7
LIGHT_M_S = 299_792_458.0
# The target is a core and a companion, so that its phases carry structure.
COMPANION_SHARE = 0.4
COMPANION_OFFSET_RAD = (math.radians(2.0 / 3600), math.radians(-1.2 / 3600))


@dataclass(frozen=True, kw_only=True)
class Instrument:
    """The antennas' true imperfections in one execution block, which calibration has to find again.

    Attributes
    ----------
    tsys_k
        System temperatures (K), shape (antennas, spws, channels, polarisations).
    bandpass
        Complex bandpasses, same shape, about 1.
    amplitude
        Gain amplitudes (antennas, polarisations), about 1.
    phase_offset
        Constant phases (rad), same shape.
    swing
        Amplitude (rad), period (s) and start (rad) of atmospheric phase waves, shape (3, antennas, waves).
    """

    tsys_k: Reals
    bandpass: npt.NDArray[np.complex128]
    amplitude: Reals
    phase_offset: Reals
    swing: Reals

    @classmethod
    def draw(cls, plan: ObservingPlan, random: np.random.Generator) -> Self:
        """Draw imperfections of the size ALMA sees in band 6."""
        antennas, spws, channels = plan.antenna_count, plan.spw_count, plan.channel_count
        spectral, per_antenna = (antennas, spws, 1, POLARISATIONS), (antennas, POLARISATIONS)
        across = np.linspace(-1.0, 1.0, channels)[None, None, :, None]
        tsys_k = random.uniform(75, 130, spectral) + random.uniform(-8, 8, spectral) * across
        ripple = 1 + 0.06 * np.cos(np.pi * across * random.uniform(1, 4, spectral) + random.uniform(0, 6, spectral))
        phase = random.uniform(-1.5, 1.5, spectral) * across + 0.2 * across**2 * random.normal(size=spectral)
        swing = np.stack(
            [random.uniform(low, high, (antennas, 3)) for low, high in ((0.05, 0.35), (200, 2500), (0, 6))]
        )
        return cls(
            tsys_k=tsys_k,
            bandpass=ripple * np.exp(1j * phase),
            amplitude=random.uniform(0.85, 1.15, per_antenna),
            phase_offset=random.uniform(-np.pi, np.pi, per_antenna),
            swing=swing,
        )

    def responses(self, times_s: Reals, spw: int) -> Complexes:
        """Give each antenna's complex response, shape (times, antennas, channels, polarisations)."""
        size, period, start = self.swing
        waves = size * np.sin(2 * np.pi * times_s[:, None, None] / period + start)
        phases = waves.sum(axis=-1)[:, :, None] + self.phase_offset
        gains = self.amplitude * np.exp(1j * phases)
        spectra = self.bandpass[:, spw] / np.sqrt(self.tsys_k[:, spw] * JY_PER_K)
        responses: Complexes = (gains[:, :, None, :] * spectra).astype(np.complex64)
        return responses


def random_source(eb_uid: str, seed: int) -> np.random.Generator:
    """Give random numbers that are this block's own and the same in every run."""
    return np.random.default_rng([seed, zlib.crc32(eb_uid.encode())])


def source_visibilities(field: FieldPlan, channels_hz: Reals, uvw_m: Reals) -> Complexes:
    """Compute a field's true visibilities in Jy.

    Parameters
    ----------
    channels_hz
        Sky frequencies, shape (channels,).
    uvw_m
        Baseline coordinates in metres, shape (times, baselines, 3).

    Returns
    -------
    Shape (times, baselines, channels), or (1, 1, channels) for a point source at the phase centre.
    """
    spectrum = field.flux_jy * (channels_hz / channels_hz.mean()) ** SPECTRAL_INDEX
    if field.intent is not Intent.TARGET:
        return np.asarray(spectrum, dtype=np.complex64)[None, None, :]
    path_m = uvw_m[..., :2] @ np.array(COMPANION_OFFSET_RAD)
    fringe = np.exp(-2j * np.pi * path_m[..., None] * channels_hz / LIGHT_M_S)
    return np.asarray(spectrum * (1 - COMPANION_SHARE + COMPANION_SHARE * fringe), dtype=np.complex64)


def noise(shape: tuple[int, ...], plan: ObservingPlan, random: np.random.Generator) -> Complexes:
    """Draw the thermal noise of correlation coefficients, by the radiometer equation."""
    sigma = np.float32(1 / math.sqrt(2 * plan.channel_width_hz * plan.integration_s))
    parts = random.standard_normal((*shape, 2), dtype=np.float32)
    parts *= sigma
    return parts.view(np.complex64)[..., 0]


def correlate(
    true: Complexes, responses: Complexes, antenna1: npt.NDArray[np.int64], antenna2: npt.NDArray[np.int64]
) -> Complexes:
    """Corrupt true visibilities by both antennas of each baseline.

    Parameters
    ----------
    true
        Shape (times or 1, baselines or 1, channels).
    responses
        Shape (times, antennas, channels, polarisations).
    antenna1, antenna2
        The antennas of each baseline, shape (baselines,).

    Returns
    -------
    Correlation coefficients, shape (times, baselines, channels, polarisations).
    """
    corrupted: Complexes = responses[:, antenna1] * responses[:, antenna2].conj()
    corrupted *= true[..., None]
    return corrupted

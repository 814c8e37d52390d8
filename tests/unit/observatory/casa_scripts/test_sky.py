"""The simulated sky and antennas do what the radio interferometer's equations say."""

import numpy as np
import pytest

from observatory.casa_scripts.plan import FLUX_FIELD, TARGET_FIELD, BlockSize, observing_plan
from observatory.casa_scripts.sky import (
    JY_PER_K,
    POLARISATIONS,
    Instrument,
    correlate,
    noise,
    random_source,
    source_visibilities,
)

PLAN = observing_plan(BlockSize.SMALL)
EB = "uid://A002/Xc7111c/X3979"


def test_a_calibrator_at_the_phase_centre_shows_its_flux_density_on_every_baseline() -> None:
    seen = source_visibilities(FLUX_FIELD, PLAN.channels_hz(0), np.ones((5, 28, 3)))
    assert seen.shape == (1, 1, 32)
    assert seen.mean() == pytest.approx(FLUX_FIELD.flux_jy, rel=1e-3)
    assert np.all(seen.imag == 0)


def test_the_target_is_resolved_into_two_sources() -> None:
    uvw_m = np.zeros((1, 2, 3))
    uvw_m[0, 1] = (300.0, -200.0, 0.0)
    zero_spacing, long_baseline = source_visibilities(TARGET_FIELD, PLAN.channels_hz(0), uvw_m)[0]
    assert abs(zero_spacing.mean()) == pytest.approx(TARGET_FIELD.flux_jy, rel=1e-3)
    assert abs(long_baseline.mean()) < 0.95 * TARGET_FIELD.flux_jy


def test_noise_follows_the_radiometer_equation() -> None:
    drawn = noise((200_000,), PLAN, np.random.default_rng(1))
    expected = 1 / np.sqrt(2 * PLAN.channel_width_hz * PLAN.integration_s)
    assert drawn.real.std() == pytest.approx(expected, rel=0.02)
    assert drawn.imag.std() == pytest.approx(expected, rel=0.02)
    assert abs(np.corrcoef(drawn.real, drawn.imag)[0, 1]) < 0.01


def test_corruption_is_of_antennas_so_that_triangles_keep_their_closure_phase() -> None:
    random = random_source(EB, 1)
    responses = Instrument.draw(PLAN, random).responses(np.arange(0.0, 600.0, 60.0), 0)
    first, second = np.array([0, 1, 0]), np.array([1, 2, 2])
    seen = correlate(np.ones((1, 1, 32), dtype=np.complex64), responses, first, second)
    closure = np.angle(seen[:, 0] * seen[:, 1] * seen[:, 2].conj())
    assert np.ptp(np.angle(seen[:, 0])) > 0.1
    assert np.abs(closure).max() < 1e-4


def test_amplitudes_are_scaled_by_the_system_temperatures_of_both_antennas() -> None:
    instrument = Instrument.draw(PLAN, random_source(EB, 1))
    responses = instrument.responses(np.zeros(1), 1)
    expected = instrument.amplitude[:, None, :] * np.abs(instrument.bandpass[:, 1])
    found = np.abs(responses[0]) * np.sqrt(instrument.tsys_k[:, 1] * JY_PER_K)
    assert responses.shape == (1, PLAN.antenna_count, PLAN.channel_count, POLARISATIONS)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize(("eb_uid", "seed"), [(EB, 2), ("uid://A002/Xc7111c/X409e", 1)])
def test_another_seed_or_block_has_other_antennas(eb_uid: str, seed: int) -> None:
    one = Instrument.draw(PLAN, random_source(EB, 1))
    same = Instrument.draw(PLAN, random_source(EB, 1))
    other = Instrument.draw(PLAN, random_source(eb_uid, seed))
    np.testing.assert_array_equal(one.bandpass, same.bandpass)
    assert not np.array_equal(one.bandpass, other.bandpass)

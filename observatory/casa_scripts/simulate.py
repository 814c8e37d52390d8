"""Make the MeasurementSet of a synthetic execution block with CASA's simulator and fill in its visibilities."""

from pathlib import Path
from typing import Any

import numpy as np
from casatools import ctsys, measures, simulator, table

from observatory.casa_scripts.plan import OBSERVING_START, ObservingPlan
from observatory.casa_scripts.sky import Instrument, correlate, noise, source_visibilities

ARRAY_CONFIGURATION = "alma/simmos/alma.cycle5.3.cfg"


def simulate(ms: Path, plan: ObservingPlan, instrument: Instrument, random: np.random.Generator) -> None:
    """Write a MeasurementSet whose DATA holds what the correlator saw.

    Parameters
    ----------
    ms
        Where the MeasurementSet goes; must not exist.
    """
    _observe(ms, plan)
    _fill(ms, plan, instrument, random)
    _prepare_for_export(ms)


def _stations(count: int) -> tuple[list[list[float]], list[str]]:
    lines = Path(ctsys.resolve(ARRAY_CONFIGURATION)).read_text().splitlines()
    rows = [line.split() for line in lines if line.strip() and not line.startswith("#")]
    rows = rows[:: len(rows) // count][:count]
    return [[float(row[column]) for row in rows] for column in range(4)], [row[4] for row in rows]


def _observe(ms: Path, plan: ObservingPlan) -> None:
    tool, measure = simulator(), measures()
    tool.open(str(ms))
    try:
        _set_instrument(tool, measure, plan)
        for field in plan.fields:
            position = measure.direction("J2000", f"{field.ra_rad}rad", f"{field.dec_rad}rad")
            tool.setfield(sourcename=field.name, sourcedirection=position)
        tool.settimes(f"{plan.integration_s}s", False, measure.epoch("TAI", OBSERVING_START))
        for scan in plan.scans:
            for spw in range(plan.spw_count):
                window = {"starttime": f"{scan.start_s}s", "stoptime": f"{scan.end_s}s"}
                tool.observe(scan.field.name, _spw_name(spw), **window)
    finally:
        tool.close()


def _spw_name(spw: int) -> str:
    return f"SPW{spw}"


def _set_instrument(tool: Any, measure: Any, plan: ObservingPlan) -> None:
    (x, y, z, diameter), pads = _stations(plan.antenna_count)
    tool.setconfig(
        telescopename="ALMA",
        x=x,
        y=y,
        z=z,
        dishdiameter=diameter,
        mount=["alt-az"],
        antname=list(plan.antenna_names),
        padname=pads,
        coordsystem="local",
        referencelocation=measure.observatory("ALMA"),
    )
    for spw in range(plan.spw_count):
        tool.setspwindow(
            spwname=_spw_name(spw),
            freq=f"{plan.first_channel_hz(spw)}Hz",
            deltafreq=f"{plan.channel_width_hz}Hz",
            freqresolution=f"{plan.channel_width_hz}Hz",
            nchannels=plan.channel_count,
            stokes="XX YY",
        )
    tool.setfeed("perfect X Y")
    tool.setlimits(0.0, "10deg")
    tool.setauto(0.0)


def _fill(ms: Path, plan: ObservingPlan, instrument: Instrument, random: np.random.Generator) -> None:
    """Fill DATA piece by piece: the simulator writes one run of rows per scan and spectral window."""
    tool = table()
    tool.open(str(ms), nomodify=False)
    try:
        origin_s = tool.getcell("TIME", 0)
        first = 0
        for scan in plan.scans:
            integrations = round((scan.end_s - scan.start_s) / plan.integration_s)
            rows = integrations * plan.antenna_count * (plan.antenna_count - 1) // 2
            for spw in range(plan.spw_count):
                span = {"startrow": first, "nrow": rows}
                uvw_m = tool.getcol("UVW", **span).T.reshape(integrations, -1, 3)
                times_s = tool.getcol("TIME", **span).reshape(integrations, -1)[:, 0] - origin_s
                antenna1, antenna2 = (tool.getcol(name, **span)[: uvw_m.shape[1]] for name in ("ANTENNA1", "ANTENNA2"))
                true = source_visibilities(scan.field, plan.channels_hz(spw), uvw_m)
                seen = correlate(true, instrument.responses(times_s, spw), antenna1, antenna2)
                seen += noise(seen.shape, plan, random)
                tool.putcol("DATA", seen.reshape(rows, *seen.shape[2:]).T, **span)
                first += rows
    finally:
        tool.close()


def _prepare_for_export(ms: Path) -> None:
    """Put right what exportasdm stumbles over.

    It wants one POLARIZATION row, the whole time range in OBSERVATION (it makes an ExecBlock of
    every piece beyond) and one POINTING row per antenna and time.
    """
    tool = table()
    tool.open(str(ms))
    times_s = tool.getcol("TIME")
    half_s = tool.getcell("INTERVAL", 0) / 2
    tool.close()
    with _Table(ms / "OBSERVATION") as observation:
        span = np.array([[times_s.min() - half_s], [times_s.max() + half_s]])
        observation.putcol("TIME_RANGE", np.repeat(span, observation.nrows(), axis=1))
    with _Table(ms / "DATA_DESCRIPTION") as descriptions:
        descriptions.putcol("POLARIZATION_ID", np.zeros(descriptions.nrows(), dtype=np.int32))
    with _Table(ms / "POLARIZATION") as polarization:
        polarization.removerows(list(range(1, polarization.nrows())))
    with _Table(ms / "POINTING") as pointing:
        keys = np.stack([pointing.getcol("TIME"), pointing.getcol("ANTENNA_ID")])
        _, kept = np.unique(keys, axis=1, return_index=True)
        pointing.removerows(sorted(set(range(pointing.nrows())) - set(kept.tolist())))


class _Table:
    """A CASA table open for writing, closed in any case."""

    def __init__(self, path: Path) -> None:
        self._tool = table()
        self._path = path

    def __enter__(self) -> Any:
        self._tool.open(str(self._path), nomodify=False)
        return self._tool

    def __exit__(self, *_: object) -> None:
        self._tool.close()

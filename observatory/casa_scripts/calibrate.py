"""Calibrate a synthetic execution block as hifa_calimage would, and keep what that leaves behind."""

from dataclasses import dataclass
from pathlib import Path

from casatasks import bandpass, flagdata, flagmanager, fluxscale, gaincal, gencal, setjy

from observatory.calibration import CalApply, CalTable
from observatory.casa_scripts.plan import Intent, ObservingPlan
from observatory.casa_scripts.restoring import FINAL_FLAGS, apply_line
from observatory.casa_scripts.sky import SPECTRAL_INDEX

REFERENCE_ANTENNA = "DA42"
# The antenna that drops out during the flux calibrator's scan.
FAULTY_ANTENNA, FAULTY_SCAN = "DA45", "2"


@dataclass(frozen=True, kw_only=True)
class CalTables:
    """The caltables of one execution block, named as the pipeline's stages name them."""

    tsys: str
    bandpass: str
    phase_int: str
    phase_scan: str
    flux: str

    @classmethod
    def for_ms(cls, vis: str, spw_count: int) -> "CalTables":
        """Name the tables for a MeasurementSet."""
        spws = f"spw{'_'.join(str(spw) for spw in range(spw_count))}"
        return cls(
            tsys=f"{vis}.h_tsyscal.s6_1.tsyscal.tbl",
            bandpass=f"{vis}.hifa_bandpass.s18_3.{spws}.channel.solintinf.bcal.tbl",
            phase_int=f"{vis}.hifa_timegaincal.s20_2.{spws}.solintint.gpcal.tbl",
            phase_scan=f"{vis}.hifa_timegaincal.s20_3.{spws}.solintinf.gpcal.tbl",
            flux=f"{vis}.hifa_timegaincal.s20_6.{spws}.solintinf.fluxscale.gacal.tbl",
        )


def flag_commands(plan: ObservingPlan) -> list[str]:
    """List what is flagged before calibration, in the form of a flag template."""
    edge, last = plan.edge_channels, plan.channel_count - 1
    return [
        f"mode='manual' antenna='{FAULTY_ANTENNA}' scan='{FAULTY_SCAN}' reason='bad_antenna'",
        f"mode='manual' spw='*:0~{edge - 1};{last - edge + 1}~{last}' reason='edge_channels'",
    ]


def calibrate(ms: Path, plan: ObservingPlan) -> list[CalApply]:
    """Flag, solve and apply; save the final flags; leave caltables beside the MeasurementSet.

    Returns
    -------
    The lines of the calapply file, in the order in which they were applied.
    """
    flagdata(vis=str(ms), mode="list", inpfile=flag_commands(plan), action="apply", flagbackup=False)
    tables = CalTables.for_ms(ms.name, plan.spw_count)
    _solve(ms, plan, tables)
    lines = _apply_lines(ms.name, plan, tables)
    for line in lines:
        apply_line(line.applycal_arguments())
    flagmanager(vis=str(ms), mode="save", versionname=FINAL_FLAGS, comment="Final pipeline flags")
    return lines


def _solve(ms: Path, plan: ObservingPlan, tables: CalTables) -> None:
    vis, spws = str(ms), list(range(plan.spw_count))
    names = {intent: plan.field_for(intent).name for intent in Intent}
    calibrators = ",".join(names[intent] for intent in Intent if intent is not Intent.TARGET)
    flux_field = plan.field_for(Intent.FLUX)
    setjy(
        vis=vis,
        field=flux_field.name,
        standard="manual",
        fluxdensity=[flux_field.flux_jy, 0, 0, 0],
        spix=SPECTRAL_INDEX,
        reffreq=f"{plan.channels_hz(0).mean()}Hz",
    )
    gencal(vis=vis, caltable=tables.tsys, caltype="tsys")
    tsys: dict[str, list[object]] = {
        "gaintable": [tables.tsys],
        "gainfield": ["nearest"],
        "spwmap": [spws],
        "interp": ["linear,linear"],
    }
    solving = {"vis": vis, "refant": REFERENCE_ANTENNA, "parang": False}
    # A throw-away phase solution keeps the bandpass from decorrelating.
    upfront = f"{ms.name}.hifa_bandpass.s18_1.solintint.gpcal.tbl"
    bandpass_field = {"field": names[Intent.BANDPASS]}
    gaincal(caltable=upfront, **bandpass_field, **solving, **tsys, solint="int", calmode="p", minsnr=3.0)
    bandpass(
        caltable=tables.bandpass,
        **bandpass_field,
        **solving,
        **_and(tsys, upfront),
        solint="inf",
        combine="scan",
        solnorm=True,
        minsnr=3.0,
    )
    before = _and(tsys, tables.bandpass)
    gains = {**solving, "field": calibrators, "minsnr": 2.0}
    gaincal(caltable=tables.phase_int, **gains, **before, solint="int", calmode="p")
    gaincal(caltable=tables.phase_scan, **gains, **before, solint="inf", calmode="p")
    amplitudes = f"{ms.name}.hifa_timegaincal.s20_5.solintinf.gacal.tbl"
    gaincal(caltable=amplitudes, **gains, **_and(before, tables.phase_int), solint="inf", calmode="a")
    fluxscale(
        vis=vis,
        caltable=amplitudes,
        fluxtable=tables.flux,
        reference=flux_field.name,
        transfer=[names[Intent.BANDPASS], names[Intent.PHASE]],
    )


def _and(before: dict[str, list[object]], table: str) -> dict[str, list[object]]:
    return {
        "gaintable": [*before["gaintable"], table],
        "gainfield": [*before["gainfield"], ""],
        "spwmap": [*before["spwmap"], []],
        "interp": [*before["interp"], "linear,linear"],
    }


def _apply_lines(vis: str, plan: ObservingPlan, tables: CalTables) -> list[CalApply]:
    spws, antennas = f"0~{plan.spw_count - 1}", f"0~{plan.antenna_count - 1}"
    return [
        CalApply(
            vis=vis,
            field=plan.field_for(intent).name,
            intent=intent.pipeline_name,
            spw=spws,
            antenna=antennas,
            tables=_tables_for(intent, plan, tables),
        )
        for intent in Intent
    ]


def _tables_for(intent: Intent, plan: ObservingPlan, tables: CalTables) -> tuple[CalTable, ...]:
    """Choose the tables of a field: the target takes its gains and Tsys from the phase calibrator."""
    is_target = intent is Intent.TARGET
    gainfield = plan.field_for(Intent.PHASE if is_target else intent).name
    phase = (
        CalTable(name=tables.phase_scan, gainfield=gainfield, interp="linearPD,linear")
        if is_target
        else CalTable(name=tables.phase_int, gainfield=gainfield)
    )
    return (
        CalTable(name=tables.tsys, gainfield=gainfield, spwmap=tuple(range(plan.spw_count)), calwt=True),
        CalTable(name=tables.bandpass, calwt=True),
        phase,
        CalTable(name=tables.flux, gainfield=gainfield),
    )

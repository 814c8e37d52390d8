"""The steps that the original calibration and the reference restore must do alike, bit for bit."""

from collections.abc import Mapping
from pathlib import Path

from casatasks import applycal, importasdm, split

from observatory.calibration import casa_intent

FINAL_FLAGS = "Pipeline_Final"
_TABLES_KEPT = "Antenna Station Receiver Source CalAtmosphere CalWVR CorrelatorMode SBSummary"


def import_block(asdm: Path, ms: Path) -> None:
    """Fill a MeasurementSet from an ASDM as the observatory's restore does."""
    importasdm(
        asdm=str(asdm),
        vis=str(ms),
        asis=_TABLES_KEPT,
        bdfflags=True,
        lazy=False,
        process_caldevice=False,
        with_pointing_correction=True,
    )


def apply_line(arguments: Mapping[str, object]) -> None:
    """Apply one line of a calapply file, given as its arguments, to the MeasurementSet in the working directory."""
    selection = {**arguments, "intent": casa_intent(str(arguments["intent"]))}
    applycal(**selection, parang=False, applymode="calflagstrict", flagbackup=False)


def split_corrected(ms: Path, product: Path) -> None:
    """Split off the corrected data of all fields, flagged rows too."""
    split(vis=str(ms), outputvis=str(product), datacolumn="corrected", keepflags=True)

"""Intents of calapply lines as CASA selects them: the pipeline's words, and what was observed."""

from typing import Any

# The pipeline's words for intents, and the ASDM's (pipeline/infrastructure, domain of observing modes).
OBSERVING_MODES = {
    "AMPLITUDE": ("CALIBRATE_AMPLI", "CALIBRATE_FLUX"),
    "ATMOSPHERE": ("CALIBRATE_ATMOSPHERE",),
    "BANDPASS": ("CALIBRATE_BANDPASS",),
    "CHECK": ("OBSERVE_CHECK_SOURCE",),
    "DELAY": ("CALIBRATE_DELAY",),
    "DIFFGAINREF": ("CALIBRATE_DIFFGAIN",),
    "DIFFGAINSRC": ("CALIBRATE_DIFFGAIN",),
    "PHASE": ("CALIBRATE_PHASE",),
    "POINTING": ("CALIBRATE_POINTING",),
    "POLANGLE": ("CALIBRATE_POL_ANGLE",),
    "POLARIZATION": ("CALIBRATE_POLARIZATION",),
    "POLLEAKAGE": ("CALIBRATE_POL_LEAKAGE",),
    "SIDEBAND": ("CALIBRATE_SIDEBAND_RATIO",),
    "TARGET": ("OBSERVE_TARGET",),
    "WVR": ("CALIBRATE_WVR",),
}


def intent_expression(intents: str, observing_modes: "list[str]") -> str:
    """Translate a calapply line's intents to a CASA selection; empty selects all.

    Parameters
    ----------
    intents
        Comma-separated, the pipeline's words (``PHASE``) or the ASDM's (``CALIBRATE_PHASE#ON_SOURCE``).
    observing_modes
        ``OBS_MODE`` of every state in the MeasurementSet.

    Raises
    ------
    ValueError
        If none of the intents was observed.
    """
    if not intents:
        return ""
    present = _present(intents, observing_modes)
    if not present:
        raise ValueError(f"no data was taken with intent {intents!r}")
    # A state lists several modes with commas, which CASA's selection takes for its own: match inside.
    return ",".join("*" + mode + "*" for mode in dict.fromkeys(present))


def is_observed(intents: str, observing_modes: "list[str]") -> bool:
    """Whether a calapply line's intents, as ``intent_expression`` takes them, have data."""
    return not intents or bool(_present(intents, observing_modes))


def _present(intents: str, observing_modes: "list[str]") -> "list[str]":
    wanted = [mode for word in intents.split(",") for mode in OBSERVING_MODES.get(word.strip(), (word.strip(),))]
    wanted = [mode if "#" in mode else mode + "#ON_SOURCE" for mode in wanted]
    return [mode for mode in wanted if any(mode in modes.split(",") for modes in observing_modes)]


def modes_of(vis: str, tables: Any) -> "list[str]":
    """Tell the observing modes of every state of a MeasurementSet."""
    return [str(mode) for mode in tables.column(vis + "/STATE", "OBS_MODE")]

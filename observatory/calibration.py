"""The calapply file: which caltables correct which part of an execution block, as the pipeline writes it."""

from collections.abc import Iterable
from dataclasses import dataclass

# The pipeline speaks of intents in words of its own; CASA selects by the ASDM's.
_SCAN_INTENTS = {
    "AMPLITUDE": "CALIBRATE_FLUX#ON_SOURCE",
    "BANDPASS": "CALIBRATE_BANDPASS#ON_SOURCE",
    "PHASE": "CALIBRATE_PHASE#ON_SOURCE",
    "TARGET": "OBSERVE_TARGET#ON_SOURCE",
}


def casa_intent(pipeline_intent: str) -> str:
    """Give the intent by which CASA selects, for the pipeline's word; empty selects all."""
    return _SCAN_INTENTS[pipeline_intent] if pipeline_intent else ""


@dataclass(frozen=True, kw_only=True)
class CalTable:
    """One caltable within a call of applycal, and how it is applied."""

    name: str
    gainfield: str = ""
    spwmap: tuple[int, ...] = ()
    interp: str = "linear,linear"
    calwt: bool = False


@dataclass(frozen=True, kw_only=True)
class CalApply:
    """One line of a calapply file: a selection and the caltables applied to it, in order."""

    vis: str
    field: str
    intent: str
    spw: str
    antenna: str
    tables: tuple[CalTable, ...]

    def applycal_arguments(self) -> dict[str, object]:
        """Give the call's arguments; the five lists are of one length (a scalar would drop tables silently)."""
        return {
            "vis": self.vis,
            "field": self.field,
            "intent": self.intent,
            "spw": self.spw,
            "antenna": self.antenna,
            "gaintable": [table.name for table in self.tables],
            "gainfield": [table.gainfield for table in self.tables],
            "spwmap": [list(table.spwmap) for table in self.tables],
            "interp": [table.interp for table in self.tables],
            "calwt": [table.calwt for table in self.tables],
        }


def calapply_text(vis: str, lines: Iterable[CalApply]) -> str:
    """Write a calapply file: a comment, then one strictly literal call of applycal per line."""
    calls = (
        "applycal({})".format(", ".join(f"{key}={value!r}" for key, value in line.applycal_arguments().items()))
        for line in lines
    )
    return "\n".join([f"# Apply file for {vis}", *calls]) + "\n"

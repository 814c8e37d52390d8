"""What an execution block holds by its ASDM's tables: which fields, intents, spectral windows and antennas."""

from dataclasses import dataclass

from contracts.reasons import ReasonCode
from services.casa_runner.asdm import Rows, text_of
from shared.errors import BlockFailedError
from shared.pipeline_files import UnsafeXmlError


@dataclass(frozen=True)
class Cell:
    """Rows of a MeasurementSet that a calibration cannot tell apart.

    Attributes
    ----------
    field
        Number of the field.
    modes
        What the scan was for, e.g. ``CALIBRATE_PHASE``.
    spw
        Number of the spectral window.
    """

    field: int
    modes: frozenset[str]
    spw: int


@dataclass(frozen=True, kw_only=True)
class Observed:
    """What was observed.

    Attributes
    ----------
    fields, antennas
        Names by number.
    cells
        All combinations that have rows.
    autocorrelations
        Whether antennas are correlated with themselves.
    crosscorrelations
        Whether they are with each other, which they are not in single dish.
    """

    fields: tuple[str, ...]
    antennas: tuple[str, ...]
    cells: frozenset[Cell]
    autocorrelations: bool
    crosscorrelations: bool = True

    @property
    def science_fields(self) -> tuple[str, ...]:
        """Names of the fields that some scan observed as a target."""
        targets = {cell.field for cell in self.cells if "OBSERVE_TARGET" in cell.modes}
        return tuple(dict.fromkeys(self.fields[number] for number in sorted(targets)))

    def spws_of(self, fields: frozenset[str]) -> frozenset[int]:
        """Spectral windows in which some of these fields have rows; all if there are no fields."""
        return frozenset(cell.spw for cell in self.cells if not fields or self.fields[cell.field] in fields)


def read_observed(rows_of: Rows) -> Observed:
    """Read what was observed.

    Parameters
    ----------
    rows_of
        Gives the rows of a table, see `asdm.rows_in`.

    Raises
    ------
    BlockFailedError
        If a table cannot be read or refers to rows that are not there (``asdm_incomplete``).
    """
    try:
        spws = spws_by_configuration(rows_of)
        correlations = {text_of(row, "correlationMode") for row in rows_of("ConfigDescription")}
        modes = {
            text_of(row, "scanNumber"): frozenset(text_of(row, "scanIntent").split()[2:]) for row in rows_of("Scan")
        }
        return Observed(
            fields=tuple(text_of(row, "fieldName") for row in rows_of("Field")),
            antennas=tuple(text_of(row, "name") for row in rows_of("Antenna")),
            cells=frozenset(
                Cell(_number(text_of(row, "fieldId")), modes[text_of(row, "scanNumber")], spw)
                for row in rows_of("Main")
                for spw in spws[text_of(row, "configDescriptionId")]
            ),
            autocorrelations=bool(correlations - {"CROSS_ONLY"}),
            crosscorrelations=bool(correlations - {"AUTO_ONLY"}),
        )
    except (UnsafeXmlError, KeyError, ValueError) as error:
        raise BlockFailedError(
            ReasonCode.ASDM_INCOMPLETE, f"the ASDM's tables cannot be read or do not fit together: {error}"
        ) from error


def spws_by_configuration(rows_of: Rows) -> dict[str, list[int]]:
    """Tell the spectral windows of each configuration; raise as the rows do, or KeyError or ValueError."""
    spw_of = {
        text_of(row, "dataDescriptionId"): _number(text_of(row, "spectralWindowId"))
        for row in rows_of("DataDescription")
    }
    # An array is told by its number of dimensions, its sizes and then its values.
    return {
        text_of(row, "configDescriptionId"): [spw_of[name] for name in text_of(row, "dataDescriptionId").split()[2:]]
        for row in rows_of("ConfigDescription")
    }


def _number(identifier: str) -> int:
    """Take the number of ``SpectralWindow_3``."""
    return int(identifier.rpartition("_")[2])

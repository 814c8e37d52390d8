"""What was observed follows from an ASDM's own tables."""

import pytest

from contracts.reasons import ReasonCode
from services.casa_runner.asdm import rows_in
from services.casa_runner.observed import Cell, read_observed
from shared.errors import BlockFailedError

TABLES = {
    "Field": "<row><fieldName>J0321+1234</fieldName></row><row><fieldName> HLX_Target </fieldName></row>",
    "Antenna": "<row><name>DA41</name></row><row><name>DA42</name></row>",
    "DataDescription": "".join(
        f"<row><dataDescriptionId>DataDescription_{number}</dataDescriptionId>"
        f"<spectralWindowId>SpectralWindow_{spw}</spectralWindowId></row>"
        for number, spw in enumerate((5, 7))
    ),
    "ConfigDescription": "<row><configDescriptionId>ConfigDescription_0</configDescriptionId>"
    "<correlationMode>CROSS_AND_AUTO</correlationMode>"
    "<dataDescriptionId> 1 2 DataDescription_0 DataDescription_1 </dataDescriptionId></row>",
    "Scan": "<row><scanNumber>1</scanNumber><scanIntent> 1 2 CALIBRATE_PHASE CALIBRATE_WVR </scanIntent></row>"
    "<row><scanNumber>2</scanNumber><scanIntent>1 1 OBSERVE_TARGET</scanIntent></row>",
    "Main": "".join(
        f"<row><fieldId>Field_{field}</fieldId><scanNumber>{scan}</scanNumber>"
        "<configDescriptionId>ConfigDescription_0</configDescriptionId></row>"
        for field, scan in ((0, 1), (1, 2))
    ),
}


def table(name: str, **changes: str) -> bytes:
    return f"<{name}Table>{(TABLES | changes)[name]}</{name}Table>".encode()


def test_cells_are_fields_intents_and_spectral_windows_that_have_rows() -> None:
    observed = read_observed(rows_in(table))
    phase, target = frozenset({"CALIBRATE_PHASE", "CALIBRATE_WVR"}), frozenset({"OBSERVE_TARGET"})
    assert observed.fields == ("J0321+1234", "HLX_Target")
    assert observed.antennas == ("DA41", "DA42")
    assert observed.cells == {Cell(0, phase, 5), Cell(0, phase, 7), Cell(1, target, 5), Cell(1, target, 7)}
    assert observed.autocorrelations
    assert observed.science_fields == ("HLX_Target",)
    assert observed.spws_of(frozenset({"HLX_Target"})) == {5, 7}


@pytest.mark.parametrize(
    ("mode", "auto", "cross"),
    [("CROSS_ONLY", False, True), ("AUTO_ONLY", True, False), ("CROSS_AND_AUTO", True, True)],
)
def test_single_dish_has_autocorrelations_alone(mode: str, auto: bool, cross: bool) -> None:
    rows = TABLES["ConfigDescription"].replace("CROSS_AND_AUTO", mode)

    observed = read_observed(rows_in(lambda name: table(name, ConfigDescription=rows)))

    assert (observed.autocorrelations, observed.crosscorrelations) == (auto, cross)


@pytest.mark.parametrize("changes", [{"Scan": ""}, {"DataDescription": ""}, {"Main": "<row/>"}])
def test_tables_that_do_not_fit_together_fail_the_block(changes: dict[str, str]) -> None:
    with pytest.raises(BlockFailedError) as raised:
        read_observed(rows_in(lambda name: table(name, **changes)))
    assert raised.value.reason is ReasonCode.ASDM_INCOMPLETE

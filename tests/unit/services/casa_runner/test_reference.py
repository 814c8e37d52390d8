"""What the script decides before it asks CASA."""

import pytest

from services.casa_runner.casa.intents import intent_expression

MODES = [
    "CALIBRATE_BANDPASS#ON_SOURCE,CALIBRATE_WVR#ON_SOURCE",
    "CALIBRATE_FLUX#ON_SOURCE",
    "CALIBRATE_PHASE#ON_SOURCE,CALIBRATE_WVR#ON_SOURCE",
    "CALIBRATE_ATMOSPHERE#OFF_SOURCE,CALIBRATE_ATMOSPHERE#ON_SOURCE",
    "OBSERVE_TARGET#ON_SOURCE",
]


@pytest.mark.parametrize(
    ("intents", "expression"),
    [
        ("", ""),
        ("BANDPASS", "*CALIBRATE_BANDPASS#ON_SOURCE*"),
        ("AMPLITUDE", "*CALIBRATE_FLUX#ON_SOURCE*"),
        ("PHASE, TARGET", "*CALIBRATE_PHASE#ON_SOURCE*,*OBSERVE_TARGET#ON_SOURCE*"),
        ("TARGET,POLARIZATION", "*OBSERVE_TARGET#ON_SOURCE*"),
        ("CALIBRATE_ATMOSPHERE#OFF_SOURCE", "*CALIBRATE_ATMOSPHERE#OFF_SOURCE*"),
        ("BANDPASS,BANDPASS", "*CALIBRATE_BANDPASS#ON_SOURCE*"),
    ],
)
def test_the_pipelines_intents_become_a_selection_of_those_that_were_observed(intents: str, expression: str) -> None:
    assert intent_expression(intents, MODES) == expression


def test_intents_of_which_none_was_observed_are_an_error() -> None:
    with pytest.raises(ValueError, match="'CHECK,POLANGLE'"):
        intent_expression("CHECK,POLANGLE", MODES)

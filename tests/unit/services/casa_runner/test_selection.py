"""A selection is checked against what was observed, and science never goes out as a calibrator."""

import pytest
from pydantic import ValidationError

from contracts.messages.parts import Selection
from contracts.reasons import ReasonCode
from services.casa_runner.observed import Cell, Observed
from services.casa_runner.selection import choose
from shared.errors import BlockFailedError

PHASE, TARGET = frozenset({"CALIBRATE_PHASE"}), frozenset({"OBSERVE_TARGET"})
OBSERVED = Observed(
    fields=("J0321+1234", "HLX_Target", "J0510+1800"),
    antennas=("DA41",),
    cells=frozenset({Cell(0, PHASE, 17), Cell(0, PHASE, 19), Cell(1, TARGET, 17), Cell(2, PHASE, 25)}),
    autocorrelations=False,
)


def test_nothing_selected_is_everything() -> None:
    chosen = choose(Selection(), OBSERVED)
    assert (chosen.fields, chosen.spws, chosen.averaged, chosen.transform) == ((), (), False, {})


def test_science_alone_is_every_field_that_was_observed_as_a_target() -> None:
    assert choose(Selection(science_only=True), OBSERVED).fields == ("HLX_Target",)


def test_spectral_windows_and_averaging_are_said_in_casas_words() -> None:
    chosen = choose(Selection(spw=(19, 17, 17), chanbin=4, timebin=30.0), OBSERVED)
    assert chosen.spws == (17, 19)
    assert (chosen.averaged, chosen.in_time) == (True, True)
    assert chosen.transform == {
        "spw": "17,19",
        "chanaverage": True,
        "chanbin": 4,
        "timeaverage": True,
        "timebin": "30.0s",
    }


@pytest.mark.parametrize(
    ("selection", "reason", "told"),
    [
        (Selection(calibrator_fields=("j0321+1234",)), ReasonCode.FIELD_NOT_FOUND, "J0321+1234, HLX_Target"),
        (Selection(calibrator_fields=("J0321+1234", "HLX_Target")), ReasonCode.FIELD_IS_SCIENCE, "HLX_Target"),
        (Selection(spw=(18,)), ReasonCode.SELECTION_NOT_FOUND, "18 are not in the data; there are 17, 19, 25"),
        (Selection(science_only=True, spw=(19,)), ReasonCode.SELECTION_NOT_FOUND, "there are 17"),
        (Selection(calibrator_fields=("J0510+1800",), spw=(17,)), ReasonCode.SELECTION_NOT_FOUND, "there are 25"),
    ],
)
def test_what_the_data_has_not_fails_before_casa_starts(selection: Selection, reason: ReasonCode, told: str) -> None:
    with pytest.raises(BlockFailedError) as raised:
        choose(selection, OBSERVED)
    assert raised.value.reason is reason
    assert told in raised.value.detail


def test_science_cannot_be_asked_for_beside_calibrators() -> None:
    with pytest.raises(ValidationError, match="exclude each other"):
        Selection(calibrator_fields=("J0321+1234",), science_only=True)
    assert not Selection(science_only=True, spw=(17,)).calibrators_only
    assert Selection(calibrator_fields=("J0321+1234",), spw=(17,), chanbin=2).calibrators_only

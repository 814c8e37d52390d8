"""Which way a block is restored in, and what is said of why."""

from dataclasses import replace

import pytest

from contracts.reasons import ReasonCode
from services.casa_runner.casas import ChosenCasa
from services.casa_runner.observed import Cell, Observed
from services.casa_runner.requested import Asked
from services.casa_runner.settings import Wanted
from services.casa_runner.ways import choose_way
from shared.errors import BlockFailedError
from shared.pipeline_files import ApplyCall

OBSERVED = Observed(
    fields=("HLX_Target",),
    antennas=("DA41", "DA42"),
    cells=frozenset({Cell(0, frozenset({"OBSERVE_TARGET"}), 0)}),
    autocorrelations=False,
)
CALL = ApplyCall(
    line=1,
    vis="x.ms",
    field="HLX_Target",
    intent="TARGET",
    spw="0",
    antenna="",
    gaintable=("a.tbl",),
    gainfield=("",),
    spwmap=((),),
    interp=("linear",),
    calwt=(True,),
)
MODULES = ChosenCasa()
WHOLE = ChosenCasa(version="6.6.6-17", shell=("casa",), has_pipeline=True)
WITHOUT = ChosenCasa(version="6.6.6", shell=("casa",))


@pytest.mark.parametrize(
    ("asked", "casa", "wanted", "calls", "method", "why"),
    [
        (Asked.INTERFEROMETRY, MODULES, "fastest", 1, "single pass", None),
        (Asked.INTERFEROMETRY, MODULES, "fastest", 2, "reference", "calls_overlap: several calls calibrate HLX_Target"),
        (Asked.INTERFEROMETRY, MODULES, "reference", 1, "reference", "chosen_by_settings"),
        (Asked.INTERFEROMETRY, WHOLE, "fastest", 1, "single pass", None),
        (Asked.INTERFEROMETRY, WHOLE, "pipeline", 1, "pipeline", "chosen_by_settings"),
        (Asked.INTERFEROMETRY, MODULES, "pipeline", 1, "single pass", None),
        (
            Asked.INTERFEROMETRY,
            WITHOUT,
            "pipeline",
            2,
            "reference",
            "calls_overlap: several calls calibrate HLX_Target",
        ),
        (Asked.SINGLE_DISH, WHOLE, "fastest", 1, "pipeline", "single_dish"),
        (Asked.SINGLE_DISH, WHOLE, "reference", 1, "pipeline", "single_dish"),
    ],
)
def test_the_way_is_chosen_by_request_casa_wish_and_calls(
    asked: Asked, casa: ChosenCasa, wanted: Wanted, calls: int, method: str, why: str | None
) -> None:
    way = choose_way(asked, [CALL] * calls, OBSERVED, casa=casa, wanted=wanted, averaged=False)

    assert way.method == method
    assert way.casa is casa
    assert (way.why or "").startswith(why or "")
    assert (way.why is None) is (why is None)
    assert way.script.is_file()


@pytest.mark.parametrize(
    ("casa", "wanted", "measured"),
    [(MODULES, "fastest", 1154), (MODULES, "reference", 2268), (WHOLE, "pipeline", 2279)],
)
def test_each_way_asks_for_the_scratch_that_was_measured_for_it_where_the_asdm_has_numbers_half_as_long(
    casa: ChosenCasa, wanted: Wanted, measured: int
) -> None:
    way = choose_way(Asked.INTERFEROMETRY, [CALL], OBSERVED, casa=casa, wanted=wanted, averaged=False)

    needed = 1 + 2 * measured / 1050
    assert needed <= way.scratch_factor <= 1.2 * needed


@pytest.mark.parametrize("casa", [MODULES, WITHOUT])
def test_single_dish_without_a_pipeline_has_a_reason_of_its_own(casa: ChosenCasa) -> None:
    with pytest.raises(BlockFailedError, match="has no pipeline") as refused:
        choose_way(Asked.SINGLE_DISH, [CALL], OBSERVED, casa=casa, wanted="fastest", averaged=False)
    assert refused.value.reason is ReasonCode.PIPELINE_NEEDED


@pytest.mark.parametrize("casa", [MODULES, WHOLE])
def test_single_dish_is_not_restored_as_if_it_were_of_an_interferometer(casa: ChosenCasa) -> None:
    alone = replace(OBSERVED, autocorrelations=True, crosscorrelations=False)

    with pytest.raises(BlockFailedError, match="no cross-correlations") as refused:
        choose_way(Asked.INTERFEROMETRY, [CALL], alone, casa=casa, wanted="pipeline", averaged=False)
    assert refused.value.reason is ReasonCode.CALIBRATION_UNCLEAR

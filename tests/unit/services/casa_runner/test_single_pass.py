"""A calibration becomes a library call by call, or a rule names what a library cannot express."""

from dataclasses import replace
from typing import Any

import pytest

from services.casa_runner.casa.single_pass import library_line, unsolved_term
from services.casa_runner.observed import Cell, Observed
from services.casa_runner.single_pass import InexpressibleError, Rule, make_library
from shared.pipeline_files import ApplyCall

PHASE, TARGET = frozenset({"CALIBRATE_PHASE", "CALIBRATE_WVR"}), frozenset({"OBSERVE_TARGET"})
OBSERVED = Observed(
    fields=("J0321+1234", "HLX_Target"),
    antennas=("DA41", "DA42", "DA43"),
    cells=frozenset({Cell(0, PHASE, 0), Cell(0, PHASE, 1), Cell(1, TARGET, 0), Cell(1, TARGET, 1)}),
    autocorrelations=False,
)
CALL = ApplyCall(
    line=2,
    vis="x.ms",
    field="J0321+1234",
    intent="PHASE",
    spw="0~1",
    antenna="0~2",
    gaintable=("x.tsys.tbl", "x.bcal.tbl"),
    gainfield=("nearest", "J0321+1234"),
    spwmap=((1, 1), ()),
    interp=("linear,linearflag", ""),
    calwt=(True, False),
    options=(),
)
OTHER = replace(CALL, line=3, field="HLX_Target", intent="TARGET")


def with_options(**options: Any) -> ApplyCall:
    return replace(CALL, options=tuple(options.items()))


def test_each_call_and_table_is_a_term_of_its_own_named_in_order() -> None:
    library = make_library([CALL, OTHER], OBSERVED)
    assert [(term.name, term.caltable) for term in library.terms] == [
        ("call000002.000", "x.tsys.tbl"),
        ("call000002.001", "x.bcal.tbl"),
        ("call000003.000", "x.tsys.tbl"),
        ("call000003.001", "x.bcal.tbl"),
    ]
    first, second = library.terms[:2]
    assert (first.tinterp, first.finterp, first.gainfields, first.needs) == ("linear", "linearflag", (), (1,))
    assert (second.tinterp, second.finterp, second.gainfields, second.needs) == ("", "", ("J0321+1234",), (0, 1))


@pytest.mark.parametrize(
    ("calls", "rule"),
    [
        ([], Rule.NO_CALLS),
        ([with_options(applymode="calonly")], Rule.APPLYMODE),
        ([with_options(parang=True)], Rule.PARANG),
        ([with_options(scan="3")], Rule.SELECTION),
        ([replace(CALL, field="J0321+1234;!x")], Rule.FIELD_EXPRESSION),
        ([replace(CALL, field="NOPE")], Rule.FIELD_UNKNOWN),
        ([replace(CALL, intent="PHASE#OFF_SOURCE")], Rule.INTENT_EXPRESSION),
        ([replace(CALL, intent="BANDPASS")], Rule.INTENT_UNOBSERVED),
        ([replace(CALL, spw="0:3~9")], Rule.SPW_EXPRESSION),
        ([replace(CALL, antenna="DA41&DA42")], Rule.ANTENNA_EXPRESSION),
        ([replace(CALL, antenna="0~1")], Rule.ANTENNA_SUBSET),
        ([replace(CALL, antenna="DA41,DA43")], Rule.ANTENNA_SUBSET),
        ([replace(CALL, gainfield=("J0321 1234", ""))], Rule.GAINFIELD_EXPRESSION),
        ([replace(CALL, interp=("linear;x", ""))], Rule.INTERP_EXPRESSION),
        ([replace(CALL, spwmap=((0, -1), ()))], Rule.SPWMAP_EXPRESSION),
        ([CALL, replace(CALL, line=3, intent="", spw="1")], Rule.OVERLAP),
        ([CALL, replace(CALL, line=3, field="J*")], Rule.OVERLAP),
    ],
)
def test_what_a_library_cannot_express_has_its_rule(calls: list[ApplyCall], rule: Rule) -> None:
    with pytest.raises(InexpressibleError) as raised:
        make_library(calls, OBSERVED)
    assert raised.value.rule is rule
    assert str(raised.value).startswith(rule.value)


@pytest.mark.parametrize(
    "call",
    [
        replace(CALL, field="0", spw="", intent="", antenna="DA41,DA42,DA43"),
        replace(CALL, field="", intent="CALIBRATE_PHASE#ON_SOURCE"),
        replace(CALL, spwmap=((-1,), ())),
        with_options(applymode="calflag", flagbackup=False, parang=False, scan=""),
    ],
)
def test_other_words_for_the_same_are_understood(call: ApplyCall) -> None:
    assert len(make_library([call], OBSERVED).terms) == 2


def test_calls_for_spectral_windows_apart_do_not_overlap() -> None:
    assert make_library([replace(CALL, spw="0"), replace(CALL, line=3, spw="1")], OBSERVED)


@pytest.mark.parametrize(
    ("antennas", "averaged", "expected"),
    [
        (("", ""), False, False),
        (("0~2", "0~2"), False, True),
        (("", ""), True, False),
        (("0~2", "0~2"), True, Rule.AUTOCORRELATIONS_AVERAGED),
        (("", "0~2"), False, Rule.AUTOCORRELATIONS_MIXED),
    ],
)
def test_autocorrelations_stay_raw_where_antennas_are_named(
    antennas: tuple[str, str], averaged: bool, expected: bool | Rule
) -> None:
    calls = [replace(CALL, antenna=antennas[0]), replace(OTHER, antenna=antennas[1])]
    observed = replace(OBSERVED, autocorrelations=True)
    try:
        found: bool | Rule = make_library(calls, observed, averaged=averaged).raw_autocorrelations
    except InexpressibleError as error:
        found = error.rule
    assert found == expected


TERM = {"gainfields": ["J0321+1234"], "needs": [0, 1]}


@pytest.mark.parametrize(
    ("term", "solved", "rule"),
    [
        (TERM, {(0, 0), (0, 1)}, None),
        (TERM, {(0, 0), (0, 1), (1, 0), (1, 1)}, None),
        (TERM | {"gainfields": ["0"]}, {(0, 0), (0, 1)}, None),
        (TERM | {"gainfields": []}, {(1, 0), (1, 1)}, None),
        (TERM, {(1, 0), (1, 1)}, "gainfield_unsolved"),
        (TERM | {"gainfields": ["9"]}, {(0, 0), (0, 1)}, "gainfield_unsolved"),
        (TERM, {(0, 0)}, "solutions_incomplete"),
        (TERM, {(0, 0), (0, 1), (1, 0)}, "solutions_incomplete"),
        (TERM | {"gainfields": []}, set(), "solutions_incomplete"),
    ],
)
def test_a_table_is_fit_if_all_its_fields_have_solutions_where_they_are_needed(
    term: dict[str, Any], solved: set[tuple[int, int]], rule: str | None
) -> None:
    assert unsolved_term(term, ["J0321+1234", "HLX_Target"], solved) == rule


def test_a_term_is_a_line_of_a_calibration_library() -> None:
    term = {
        "name": "call000002.000",
        "calwt": True,
        "tinterp": "",
        "finterp": "linearflag",
        "field": "J0321+1234",
        "intent": "*CALIBRATE_PHASE#ON_SOURCE*",
        "spw": "",
        "fldmap": "nearest",
        "spwmap": [1, 1],
    }
    assert library_line(term) == (
        "caltable='call000002.000' calwt=True tinterp='linear' finterp='linearflag' field='J0321+1234' "
        "intent='*CALIBRATE_PHASE#ON_SOURCE*' fldmap='nearest' spwmap=[1, 1]"
    )

"""Decides whether a calibration can be applied in a single pass, and turns it into a calibration library.

A library has one term per call and table, under a name of its own that sorts as the calls
do: CASA applies the terms of one kind in the order of their names, keeps one ``calwt`` per
name, and its interpolations of one table for several selections influence each other in
the last bit. What a library cannot express, or was seen to do otherwise than applycal, has a
rule here that sends the block to the reference way.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

from services.casa_runner.casa.intents import OBSERVING_MODES
from services.casa_runner.observed import Cell, Observed
from shared.pipeline_files import ApplyCall

_MODES = ("", "calflag", "calflagstrict")
_SELECTORS = ("msselect", "observation", "scan", "timerange", "uvrange")
_NAME = re.compile(r"[\w.+*-]+")
_RANGE = re.compile(r"(\d+)(?:~(\d+))?")
_INTERPOLATION = re.compile(r"[A-Za-z]*(,[A-Za-z]*)?")


class Rule(StrEnum):
    """Why a block is not restored in a single pass; said in the log and kept with the result."""

    CHOSEN = "chosen_by_settings"
    SINGLE_DISH = "single_dish"
    BY_HAND = "calibrated_by_hand"
    APPLYMODE = "applymode"
    PARANG = "parang"
    SELECTION = "selection_beyond_field_intent_spw"
    FIELD_EXPRESSION = "field_expression"
    FIELD_UNKNOWN = "field_unknown"
    INTENT_EXPRESSION = "intent_expression"
    INTENT_UNOBSERVED = "intent_unobserved"
    SPW_EXPRESSION = "spw_expression"
    ANTENNA_EXPRESSION = "antenna_expression"
    ANTENNA_SUBSET = "antenna_subset"
    GAINFIELD_EXPRESSION = "gainfield_expression"
    INTERP_EXPRESSION = "interp_expression"
    SPWMAP_EXPRESSION = "spwmap_expression"
    OVERLAP = "calls_overlap"
    AUTOCORRELATIONS_MIXED = "autocorrelations_mixed"
    AUTOCORRELATIONS_AVERAGED = "autocorrelations_averaged"
    NO_CALLS = "no_calls"
    # Found by CASA in the tables, before it imports:
    SOLUTIONS_INCOMPLETE = "solutions_incomplete"
    GAINFIELD_UNSOLVED = "gainfield_unsolved"
    # Found by CASA in what came out:
    ALL_FLAGGED = "all_flagged"
    # Then it is a single pass all the same, but in one process:
    HALVES_DIFFER = "halves_differ"


class InexpressibleError(Exception):
    """A call cannot be part of a single pass.

    Parameters
    ----------
    rule
        The rule that says so.
    detail
        What was found, and where.
    """

    def __init__(self, rule: Rule, detail: str) -> None:
        super().__init__(f"{rule}: {detail}")
        self.rule = rule
        self.detail = detail


@dataclass(frozen=True, kw_only=True)
class Term:
    """One table as one call applies it.

    Attributes
    ----------
    name
        Under which the table is applied; a link to ``caltable``.
    tinterp, finterp
        Interpolation in time and in frequency; empty as CASA has it.
    gainfields
        Names or numbers of the fields whose solutions are used; empty: no choice.
    needs
        Spectral windows that have to have solutions.
    """

    name: str
    caltable: str
    calwt: bool
    tinterp: str
    finterp: str
    field: str
    intent: str
    spw: str
    fldmap: str
    spwmap: tuple[int, ...]
    gainfields: tuple[str, ...]
    needs: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Library:
    """A calibration for a single pass.

    Attributes
    ----------
    raw_autocorrelations
        Autocorrelations are left as they are: applycal's antenna selections do not include them.
    """

    terms: tuple[Term, ...]
    raw_autocorrelations: bool


def make_library(calls: Sequence[ApplyCall], observed: Observed, *, averaged: bool = False) -> Library:
    """Turn calls of applycal into a calibration library.

    Parameters
    ----------
    calls
        The calls in order.
    observed
        What the execution block holds.
    averaged
        Whether the result is averaged in time or frequency.

    Raises
    ------
    InexpressibleError
        If that cannot be done, naming the rule.
    """
    if not calls:
        raise InexpressibleError(Rule.NO_CALLS, "no call is about the data that is delivered")
    covered: Counter[Cell] = Counter()
    terms: list[Term] = []
    for call in calls:
        cells = _cells(call, observed)
        covered.update(cells)
        terms += [_term(call, number, cells) for number in range(len(call.gaintable))]
    if twice := [cell for cell, times in covered.items() if times > 1]:
        name = observed.fields[twice[0].field]
        raise InexpressibleError(Rule.OVERLAP, f"several calls calibrate {name} in spw {twice[0].spw}")
    return Library(terms=tuple(terms), raw_autocorrelations=_leaves_autocorrelations(calls, observed, averaged))


def _cells(call: ApplyCall, observed: Observed) -> frozenset[Cell]:
    """Find what a call calibrates, once it is known to be one that a library can express."""
    options = dict(call.options)
    where = f"line {call.line}"
    if options.get("applymode", "") not in _MODES:
        raise InexpressibleError(Rule.APPLYMODE, f"{where}: {options['applymode']}")
    if options.get("parang"):
        raise InexpressibleError(Rule.PARANG, where)
    if chosen := [name for name in _SELECTORS if options.get(name)]:
        raise InexpressibleError(Rule.SELECTION, f"{where}: {', '.join(chosen)}")
    _check_antennas(call, observed)
    fields, modes, spws = _fields(call, observed), _modes(call), _spws(call)
    cells = frozenset(
        cell
        for cell in observed.cells
        if cell.field in fields and (modes is None or cell.modes & modes) and (spws is None or cell.spw in spws)
    )
    if not cells:
        raise InexpressibleError(Rule.INTENT_UNOBSERVED, f"{where}: no data for field {call.field} {call.intent}")
    return cells


def _fields(call: ApplyCall, observed: Observed) -> frozenset[int]:
    numbers = range(len(observed.fields))
    if not call.field:
        return frozenset(numbers)
    found: set[int] = set()
    for word in _words(call.field, Rule.FIELD_EXPRESSION, call.line):
        matching = {number for number in numbers if fnmatchcase(observed.fields[number], word)}
        if not matching and word.isdigit() and int(word) in numbers:
            matching = {int(word)}
        if not matching:
            raise InexpressibleError(Rule.FIELD_UNKNOWN, f"line {call.line}: {word}")
        found |= matching
    return frozenset(found)


def _modes(call: ApplyCall) -> frozenset[str] | None:
    if not call.intent:
        return None
    modes: set[str] = set()
    for word in call.intent.split(","):
        mode, _, place = word.strip().partition("#")
        if place not in ("", "ON_SOURCE") or not re.fullmatch(r"\w+", mode):
            raise InexpressibleError(Rule.INTENT_EXPRESSION, f"line {call.line}: {call.intent}")
        modes |= set(OBSERVING_MODES.get(mode, (mode,)))
    return frozenset(modes)


def _spws(call: ApplyCall) -> frozenset[int] | None:
    return _numbers(call.spw, Rule.SPW_EXPRESSION, call.line) if call.spw else None


def _check_antennas(call: ApplyCall, observed: Observed) -> None:
    """Make sure that a call is about all antennas."""
    if not call.antenna:
        return
    words = {word.strip() for word in call.antenna.split(",")}
    if words <= set(observed.antennas):
        chosen = frozenset(observed.antennas.index(word) for word in words)
    else:
        chosen = _numbers(call.antenna, Rule.ANTENNA_EXPRESSION, call.line)
    if missing := set(range(len(observed.antennas))) - chosen:
        raise InexpressibleError(Rule.ANTENNA_SUBSET, f"line {call.line}: {len(missing)} antennas are left out")


def _leaves_autocorrelations(calls: Sequence[ApplyCall], observed: Observed, averaged: bool) -> bool:
    """Whether autocorrelations stay raw, as they do where antennas are named."""
    if not observed.autocorrelations:
        return False
    named = {bool(call.antenna) for call in calls}
    if len(named) > 1:
        raise InexpressibleError(Rule.AUTOCORRELATIONS_MIXED, "some calls name antennas, some do not")
    if named == {True} and averaged:
        raise InexpressibleError(Rule.AUTOCORRELATIONS_AVERAGED, "raw autocorrelations beside averaged data")
    return named == {True}


def _term(call: ApplyCall, number: int, cells: frozenset[Cell]) -> Term:
    interp, gainfield = call.interp[number], call.gainfield[number]
    if not _INTERPOLATION.fullmatch(interp):
        raise InexpressibleError(Rule.INTERP_EXPRESSION, f"line {call.line}: {interp}")
    tinterp, _, finterp = interp.partition(",")
    gainfields: tuple[str, ...] = ()
    if gainfield and gainfield != "nearest":
        gainfields = _words(gainfield, Rule.GAINFIELD_EXPRESSION, call.line)
    spwmap = () if call.spwmap[number] == (-1,) else call.spwmap[number]
    if -1 in spwmap:
        raise InexpressibleError(Rule.SPWMAP_EXPRESSION, f"line {call.line}: {list(spwmap)}")
    spws = {cell.spw for cell in cells}
    return Term(
        name=f"call{call.line:06d}.{number:03d}",
        caltable=call.gaintable[number],
        calwt=call.calwt[number],
        tinterp=tinterp,
        finterp=finterp,
        field=call.field,
        intent=call.intent,
        spw=call.spw,
        fldmap=gainfield,
        spwmap=spwmap,
        gainfields=gainfields,
        needs=tuple(sorted({spwmap[spw] if spw < len(spwmap) else spw for spw in spws})),
    )


def _words(expression: str, rule: Rule, line: int) -> tuple[str, ...]:
    words = tuple(word.strip() for word in expression.split(","))
    if not all(_NAME.fullmatch(word) for word in words):
        raise InexpressibleError(rule, f"line {line}: {expression}")
    return words


def _numbers(expression: str, rule: Rule, line: int) -> frozenset[int]:
    found: set[int] = set()
    for word in expression.split(","):
        match = _RANGE.fullmatch(word.strip())
        if match is None:
            raise InexpressibleError(rule, f"line {line}: {expression}")
        found |= set(range(int(match[1]), int(match[2] or match[1]) + 1))
    return frozenset(found)

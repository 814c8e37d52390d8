"""Checks a selection against what was observed, and says it in CASA's words, before CASA starts."""

from collections.abc import Sequence
from dataclasses import dataclass

from contracts.messages.parts import Selection
from contracts.reasons import ReasonCode
from services.casa_runner.asdm import check_selection
from services.casa_runner.observed import Observed
from shared.errors import BlockFailedError


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """What is delivered of an execution block.

    Attributes
    ----------
    fields
        Names of the fields; empty is all.
    spws
        Spectral windows; empty is all.
    averaged
        Whether rows or channels are averaged.
    in_time
        Whether rows are, so that they cannot be counted beforehand.
    transform
        More arguments of mstransform.
    """

    fields: tuple[str, ...]
    spws: tuple[int, ...]
    averaged: bool
    in_time: bool
    transform: dict[str, object]


def choose(selection: Selection, observed: Observed) -> Chosen:
    """Check a selection.

    Raises
    ------
    BlockFailedError
        If the data lacks what is selected (``field_not_found``, ``selection_not_found``), or if a
        field that is asked for as a calibrator is a science target (``field_is_science``).
    """
    check_selection(selection.calibrator_fields, observed.fields)
    _check_calibrators(selection.calibrator_fields, observed.science_fields)
    fields = selection.calibrator_fields
    if selection.science_only:
        fields = observed.science_fields
        if not fields:
            raise BlockFailedError(ReasonCode.SELECTION_NOT_FOUND, "no field of the data was observed as a target")
    there = observed.spws_of(frozenset(fields))
    if missing := sorted(set(selection.spw or ()) - there):
        raise BlockFailedError(
            ReasonCode.SELECTION_NOT_FOUND,
            f"spectral windows {_listed(missing)} are not in the data; there are {_listed(sorted(there))}",
        )
    spws = tuple(sorted(set(selection.spw or ())))
    return Chosen(
        fields=fields,
        spws=spws,
        averaged=selection.chanbin is not None or selection.timebin is not None,
        in_time=selection.timebin is not None,
        transform=_transform(selection, spws),
    )


def _check_calibrators(selected: Sequence[str], science: Sequence[str]) -> None:
    """Make sure that nobody gets science data under the name of a calibrator."""
    if wrong := [name for name in selected if name in science]:
        raise BlockFailedError(
            ReasonCode.FIELD_IS_SCIENCE, f"observed as a target, not only as a calibrator: {', '.join(wrong)}"
        )


def _transform(selection: Selection, spws: Sequence[int]) -> dict[str, object]:
    arguments: dict[str, object] = {}
    if spws:
        arguments["spw"] = ",".join(str(spw) for spw in spws)
    if selection.chanbin is not None:
        arguments |= {"chanaverage": True, "chanbin": selection.chanbin}
    if selection.timebin is not None:
        arguments |= {"timeaverage": True, "timebin": f"{selection.timebin}s"}
    return arguments


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(str(number) for number in numbers) or "none"

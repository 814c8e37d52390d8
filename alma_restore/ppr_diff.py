"""Compares two processing requests by what the pipeline would do with them."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest

from shared.pipeline_files.ppr.foresight import Foresight, Step

_STAMP = re.compile(r"_\d{4}_\d{2}_\d{2}T\d{2}_\d{2}_\d{2}\.\d+(?=/|$)", re.ASCII)
_TITLES = ("ObsUnitSetTitle", "ObsUnitSetType")


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Something that two requests say differently.

    Attributes
    ----------
    what
        What it is about.
    left, right
        How each says it.
    has_effect
        Whether the pipeline does something else for it.
    """

    what: str
    left: object
    right: object
    has_effect: bool = True


def differences(left: Foresight, right: Foresight) -> list[Difference]:
    """Return all that two requests say differently, by meaning.

    Times of creation, the order of elements, spelling and prefixes have none;
    nor has the time stamp in the name of the folder.
    """
    return [
        *_single("ends", left.ending, right.ending),
        *_mapped("", left.summary, right.summary),
        *_mapped("", left.structure, right.structure),
        *_single("folder (without time)", _unstamped(left.relative_path), _unstamped(right.relative_path)),
        *_sessions(left.sessions, right.sessions),
        *_single("procedure title", left.title, right.title),
        *_steps(left.steps, right.steps),
        *_mapped("intent ", _others(left.intents), _others(right.intents)),
    ]


def _single(what: str, left: object, right: object) -> Iterator[Difference]:
    if type(left) is not type(right) or left != right:
        yield Difference(what=what, left=left, right=right)


def _mapped(prefix: str, left: Mapping[str, object], right: Mapping[str, object]) -> Iterator[Difference]:
    for name in dict.fromkeys((*left, *right)):
        for found in _single(f"{prefix}{name}", left.get(name), right.get(name)):
            yield Difference(what=found.what, left=found.left, right=found.right, has_effect=name not in _TITLES)


def _sessions(left: Mapping[str, str], right: Mapping[str, str]) -> Iterator[Difference]:
    for asdm in dict.fromkeys((*left, *right)):
        yield from _single(f"session of {asdm}", left.get(asdm), right.get(asdm))
    if set(left) == set(right):
        yield from _single("order of the execution blocks", list(left), list(right))


def _steps(left: tuple[Step, ...], right: tuple[Step, ...]) -> Iterator[Difference]:
    tasks = [step.task for step in left], [step.task for step in right]
    if tasks[0] != tasks[1]:
        for number, (one, other) in enumerate(zip_longest(*tasks), start=1):
            yield from _single(f"command {number}", one, other)
        return
    for number, (step, other_step) in enumerate(zip(left, right, strict=True), start=1):
        yield from _mapped(f"command {number} {step.task}: ", step.parameters, other_step.parameters)


def _others(intents: Mapping[str, object]) -> dict[str, object]:
    """Return the intents that are no sessions, which are compared as what becomes of them."""
    return {keyword: value for keyword, value in intents.items() if not keyword.startswith("SESSION_")}


def _unstamped(path: object) -> object:
    return _STAMP.sub("", path) if isinstance(path, str) else path

"""How the pipeline reads the texts of a PPR, and the refusals that follow from it.

The pipeline turns every text that looks like a number, a truth value or a
collection into one, strips nothing, and mostly keeps quiet about what it could
not use. Source: ``pipeline/infrastructure/executeppr.py`` and
``pipeline/extern/XmlObjectifier.py`` of the public ALMA pipeline.
"""

import ast
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from itertools import accumulate
from keyword import iskeyword
from typing import Final
from xml.dom import minidom

from contracts.identifiers import EntityUid, InvalidIdentifierError
from contracts.reasons import ReasonCode
from shared.errors import BlockFailedError

Value = str | bool | int | float | list[object] | tuple[object, ...] | dict[object, object]
"""What the value of a parameter or an intent is to the pipeline after it was read."""


_COLLECTIONS: Final[Mapping[str, type]] = {"[": list, "(": tuple, "{": dict}
MAX_DEPTH: Final = 50
"""So deep may brackets be in each other; Python before 3.9, on which pipelines ran until 2025, gives up at 100."""
_MAX_DIGITS: Final = 4000
"""Python from 3.11 on reads a number with more digits than about this as infinity, and before as itself."""


class PprError(BlockFailedError):
    """A processing request that the pipeline would refuse or, worse, misread.

    Parameters
    ----------
    rule
        Which rule it breaks, a stable word such as ``session_gap``.
    detail
        What was found, and what the pipeline would make of it.
    """

    code = "ppr_invalid"

    def __init__(self, rule: str, detail: str) -> None:
        super().__init__(ReasonCode.PPR_INVALID, f"{detail} [{rule}]")
        self.rule = rule


def cast(text: str) -> Value:
    """Return what the pipeline makes of a text.

    Raises
    ------
    PprError
        With rule ``unreadable`` if its reader ends at the text, so that it counts as nothing.
    """
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    if text.lower() in {"true", "false"}:
        return text.lower() == "true"
    begin = text.lstrip(" \t")[:1]
    return _evaluated(text, begin) if begin in _COLLECTIONS or len(text) > MAX_DEPTH else text


def _evaluated(text: str, begin: str) -> Value:
    """Return a text that is the literal of a list, tuple or dict as such, any other as it is."""
    if _depth(text) > MAX_DEPTH:
        raise PprError("unreadable", f"{text!r:.80} has brackets in each other more than {MAX_DEPTH} deep")
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    except (TypeError, RecursionError, MemoryError) as error:
        raise PprError("unreadable", f"at {text!r:.80} the reader ends with {type(error).__name__}") from error
    if isinstance(value, list | tuple | dict) and isinstance(value, _COLLECTIONS.get(begin, ())):
        return value
    return text


def _depth(text: str) -> int:
    changes = (1 if character in "[({" else -1 for character in text if character in "[({])}")
    return max(accumulate(changes), default=0)


def written(value: Value) -> str:
    """Return the text that the pipeline reads as this value, as Python writes it."""
    return value if isinstance(value, str) else repr(value)


def check_value(value: Value, *, where: str) -> None:
    """Refuse a value that would be another one, or of another type, once it was read.

    Raises
    ------
    PprError
        With rule ``cast``, ``unreadable``, ``characters`` or ``padding``.
    """
    try:
        text = written(value)
    except (ValueError, RecursionError) as error:
        raise PprError("unreadable", f"{where} cannot be written: {error}") from error
    check_characters(text, where=where)
    # Pipelines before 2019 run on Python 2 and end with an error at other characters.
    if not text.isascii():
        raise PprError("characters", f"{where}: {text!r:.80} has characters that are not ASCII")
    read = cast(text)
    if type(read) is not type(value) or read != value:
        raise PprError(
            "cast",
            f"{where}: {value!r:.80} ({type(value).__name__}) would be read as {read!r:.80} ({type(read).__name__})",
        )


def read_value(text: str, *, where: str) -> Value:
    """Return what every pipeline makes of a text, if all make the same of it.

    Raises
    ------
    PprError
        With rule ``spelling`` for a number that is one for some of them only, or with that of `cast`.
    """
    value = cast(text)
    if isinstance(value, str | bool) or not isinstance(value, int | float):
        return value
    if "_" in text or len(text) > _MAX_DIGITS:
        raise PprError("spelling", f"{where}: what {text!r:.80} is depends on the pipeline's Python: write it plainly")
    return value


def check_text(text: str, *, where: str) -> None:
    """Refuse a text that the pipeline needs and would not read as this very text.

    Raises
    ------
    PprError
        With rule ``empty``, ``cast``, ``characters`` or ``padding``.
    """
    if not text:
        raise PprError("empty", f"{where} is empty: the pipeline would end at once and say that all is well")
    check_value(text, where=where)


def check_characters(text: str, *, where: str) -> None:
    """Refuse characters that XML cannot carry unchanged or that nobody can see.

    Raises
    ------
    PprError
        With rule ``characters`` or ``padding``.
    """
    if not text.isprintable():
        raise PprError("characters", f"{where}: {text!r:.80} has line ends or characters that do not print")
    if text != text.strip():
        raise PprError("padding", f"{where}: {text!r:.80} has spaces around it, which the pipeline does not strip")


def check_uid(text: str, *, where: str) -> None:
    """Refuse what is not a UID in the spelling ``uid://A001/X1284/X265f``.

    Raises
    ------
    PprError
        With rule ``uid``.
    """
    try:
        canonical = EntityUid(text)
    except InvalidIdentifierError as error:
        raise PprError("uid", f"{where}: {error}") from error
    if canonical != text:
        raise PprError("uid", f"{where}: {text!r} has to be written {str(canonical)!r}")


def is_readable_name(name: str) -> bool:
    """Whether the pipeline's reader, which makes Python attributes of elements, survives one of this name.

    It replaces ``-`` and asks Python for the rest: a name with a dot, or one that Python or its elements have
    already, ends it whatever the element is about. Pipelines before 2019 run on Python 2.
    """
    attribute = name.replace("-", "_")
    return (
        attribute.isascii()
        and attribute.isidentifier()
        and not iskeyword(attribute)
        and attribute not in _taken_names()
    )


@cache
def _taken_names() -> frozenset[str]:
    """Return what the elements of the pipeline's reader have already, and what Python 2 has no names of."""
    element = minidom.parseString("<x/>").documentElement  # noqa: S318  # our own text
    return frozenset({*dir(element), "exec", "getValue", "print", "setValue"})


def repeated(names: Iterable[str]) -> list[str]:
    """Return the names that occur more than once."""
    return [name for name, count in Counter(names).items() if count > 1]

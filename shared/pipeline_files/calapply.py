"""Reads ``<EB>.ms.calapply.txt``: the applycal calls of a calibration, as data and never as code."""

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final, NoReturn

from contracts.identifiers import ExecBlockUid
from contracts.reasons import ReasonCode
from shared.errors import BlockFailedError
from shared.pipeline_files.names import is_bare_file_name

MAX_BYTES = 16 * 2**20
_REQUIRED: Final = ("vis", "field", "intent", "spw", "antenna")
_PER_TABLE: Final = ("gaintable", "gainfield", "spwmap", "interp", "calwt")
_OPTIONAL: Final[Mapping[str, type]] = {
    "applymode": str,
    "flagbackup": bool,
    "msselect": str,
    "observation": str,
    "parang": bool,
    "scan": str,
    "timerange": str,
    "uvrange": str,
}
_APPLYMODES: Final = ("", "calflag", "calflagstrict", "trial", "flagonly", "flagonlystrict", "calonly")


class CalapplyError(BlockFailedError):
    """The calapply file cannot be used.

    Parameters
    ----------
    rule
        Which rule it breaks, a stable word such as ``one_length``.
    detail
        What was found and what is needed.
    line
        Number of the line, counted from 1; None if it is about the whole file.
    """

    code = "calapply_invalid"

    def __init__(self, rule: str, detail: str, *, line: int | None = None) -> None:
        where = f"line {line}: " if line is not None else ""
        super().__init__(ReasonCode.CALAPPLY_INVALID, f"{where}{detail} [{rule}]")
        self.rule = rule
        self.line = line


@dataclass(frozen=True, kw_only=True)
class ApplyCall:
    """One call of applycal. All that is said per calibration table has one entry per table, in order.

    Attributes
    ----------
    line
        Number of the line in the file, counted from 1.
    vis
        Name of the MeasurementSet, without a path.
    field, intent, spw, antenna
        What the tables are applied to; empty is everything. The intent is the pipeline's, e.g. ``TARGET``.
    gaintable
        Names of the calibration tables, without a path.
    gainfield, spwmap, interp, calwt
        Per table: fields whose solutions are used, which spectral window serves
        which (empty for the same), interpolation, whether weights are calibrated.
    options
        What else the call says, e.g. ``applymode``; nothing as a rule.
    """

    line: int
    vis: str
    field: str
    intent: str
    spw: str
    antenna: str
    gaintable: tuple[str, ...]
    gainfield: tuple[str, ...]
    spwmap: tuple[tuple[int, ...], ...]
    interp: tuple[str, ...]
    calwt: tuple[bool, ...]
    options: tuple[tuple[str, str | bool], ...] = ()


def read_calapply(data: bytes, *, eb_uid: ExecBlockUid) -> tuple[ApplyCall, ...]:
    """Read the applycal calls of an execution block in the order of the file.

    The pipeline evaluates these lines; here they are parsed, and only literals
    are accepted. Paths of tables and MeasurementSet are cut to the name, as the
    pipeline's restore does. With one table the values may stand without a list.

    Parameters
    ----------
    data
        The file.
    eb_uid
        The execution block that every call has to be about.

    Raises
    ------
    CalapplyError
        If a line is no applycal call of literals, lacks a parameter, has one that
        is unknown or of the wrong type, if the values per table are not as many
        as the tables (CASA would drop tables and say nothing), if a call is
        about another MeasurementSet, or if there is no call at all.
    """
    calls = tuple(
        _call(number, text.strip())
        for number, text in enumerate(_text(data).split("\n"), start=1)
        if text.strip() and not text.lstrip().startswith("#")
    )
    if not calls:
        raise CalapplyError("no_calls", "the file has no applycal call, so nothing would be calibrated")
    expected = f"{eb_uid.file_form}.ms"
    for call in calls:
        if call.vis != expected:
            raise CalapplyError("vis", f"the call is about {call.vis!r}, not about {expected!r}", line=call.line)
    return calls


def _text(data: bytes) -> str:
    if len(data) > MAX_BYTES:
        raise CalapplyError("size", f"the file has {len(data)} bytes, more than the {MAX_BYTES} that are read")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CalapplyError("encoding", f"the file is not text: {error}") from error


def _call(line: int, text: str) -> ApplyCall:
    values = _Values(line, _keywords(line, text))
    tables = values.texts("gaintable")
    if not tables:
        raise CalapplyError("gaintable", "the call applies no table", line=line)
    call = ApplyCall(
        line=line,
        vis=_bare("vis", values.text("vis"), line),
        field=values.text("field"),
        intent=values.text("intent"),
        spw=values.text("spw"),
        antenna=values.text("antenna"),
        gaintable=tuple(_bare("gaintable", table, line) for table in tables),
        gainfield=values.texts("gainfield"),
        spwmap=values.spwmaps(len(tables)),
        interp=values.texts("interp"),
        calwt=values.flags("calwt"),
        options=values.options(),
    )
    _check_lengths(call)
    return call


def _keywords(line: int, text: str) -> dict[str, object]:
    """Return the parameters of a call, each a literal."""
    keywords: dict[str, object] = {}
    for keyword in _applycal(line, text).keywords:
        name = keyword.arg
        if name is None:
            raise CalapplyError("keywords", "the call has a ** argument; only keyword=literal is read", line=line)
        if name in keywords:
            raise CalapplyError("repeated", f"{name} is given twice", line=line)
        if name not in (*_REQUIRED, *_PER_TABLE, *_OPTIONAL):
            raise CalapplyError("unknown", f"{name} is not a parameter that is understood here", line=line)
        try:
            keywords[name] = ast.literal_eval(keyword.value)
        except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError) as error:
            raise CalapplyError("literal", f"{name} is not a literal: code is never run", line=line) from error
    missing = [name for name in (*_REQUIRED, *_PER_TABLE) if name not in keywords]
    if missing:
        raise CalapplyError("missing", f"the call lacks {', '.join(missing)}", line=line)
    return keywords


def _applycal(line: int, text: str) -> ast.Call:
    # The pipeline takes lines that begin like this and silently passes over all others.
    if not text.startswith("applycal("):
        raise CalapplyError("syntax", f"neither a comment nor an applycal call: {text[:60]!r}", line=line)
    try:
        node = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise CalapplyError("syntax", f"the call cannot be parsed: {error}", line=line) from error
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "applycal"):
        raise CalapplyError("syntax", "the line does more than call applycal", line=line)
    if node.args:
        raise CalapplyError("keywords", "the call has positional arguments; only keyword=literal is read", line=line)
    return node


class _Values:
    """The parameters of one call, read with the types that applycal wants."""

    def __init__(self, line: int, values: Mapping[str, object]) -> None:
        self._line = line
        self._values = values

    def text(self, name: str) -> str:
        value = self._values[name]
        return value if isinstance(value, str) else self._refuse(name, "a text")

    def texts(self, name: str) -> tuple[str, ...]:
        found = self._listed(name, str)
        return tuple(item if isinstance(item, str) else self._refuse(name, "a list of texts") for item in found)

    def flags(self, name: str) -> tuple[bool, ...]:
        found = self._listed(name, bool)
        return tuple(
            item if isinstance(item, bool) else self._refuse(name, "a list of True or False") for item in found
        )

    def spwmaps(self, tables: int) -> tuple[tuple[int, ...], ...]:
        value = self._values["spwmap"]
        found = value if isinstance(value, list | tuple) else self._refuse("spwmap", "a list of lists")
        if tables == 1 and not any(isinstance(item, list | tuple) for item in found):
            return (self._spwmap(found),)
        return tuple(self._spwmap(item) for item in found)

    def options(self) -> tuple[tuple[str, str | bool], ...]:
        given = {name: self._values[name] for name in sorted(_OPTIONAL) if name in self._values}
        if given.get("applymode", "") not in _APPLYMODES:
            self._refuse("applymode", f"one of {', '.join(repr(mode) for mode in _APPLYMODES)}")
        return tuple(
            (name, value)
            if isinstance(value, str | bool) and type(value) is _OPTIONAL[name]
            else self._refuse(name, f"of type {_OPTIONAL[name].__name__}")
            for name, value in given.items()
        )

    def _listed(self, name: str, scalar: type) -> list[object] | tuple[object, ...]:
        value = self._values[name]
        if isinstance(value, list | tuple):
            return value
        return (value,) if isinstance(value, scalar) else self._refuse(name, "a list")

    def _spwmap(self, value: object) -> tuple[int, ...]:
        found = value if isinstance(value, list | tuple) else self._refuse("spwmap", "a list of lists")
        return tuple(
            item if type(item) is int and item >= -1 else self._refuse("spwmap", "of spw ids") for item in found
        )

    def _refuse(self, name: str, wanted: str) -> NoReturn:
        raise CalapplyError("type", f"{name} has to be {wanted}, not {self._values[name]!r:.80}", line=self._line)


def _check_lengths(call: ApplyCall) -> None:
    lengths = {name: len(getattr(call, name)) for name in _PER_TABLE}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise CalapplyError("one_length", f"one entry per table is needed, but the lengths are {told}", line=call.line)


def _bare(parameter: str, path: str, line: int) -> str:
    name = PurePosixPath(path).name
    if not is_bare_file_name(name):
        raise CalapplyError("name", f"{parameter} {path!r} does not end in a file name", line=line)
    return name

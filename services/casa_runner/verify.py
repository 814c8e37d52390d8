"""Judges what CASA left: success is what has been proven, everything else has a reason."""

import re
import signal
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from contracts.reasons import ReasonCode
from services.casa_runner.asdm import AsdmPromise
from services.casa_runner.errors import CasaAwayError, ScratchFullError
from services.casa_runner.job import CasaResult, Described, Flags
from shared.errors import BlockFailedError

COLUMNS = frozenset(
    {
        "ANTENNA1",
        "ANTENNA2",
        "DATA",
        "DATA_DESC_ID",
        "EXPOSURE",
        "FIELD_ID",
        "FLAG",
        "FLAG_ROW",
        "INTERVAL",
        "SCAN_NUMBER",
        "SIGMA",
        "STATE_ID",
        "TIME",
        "UVW",
        "WEIGHT",
    }
)
SUBTABLES = frozenset(
    {
        "ANTENNA",
        "DATA_DESCRIPTION",
        "FEED",
        "FIELD",
        "HISTORY",
        "OBSERVATION",
        "POLARIZATION",
        "PROCESSOR",
        "SPECTRAL_WINDOW",
        "STATE",
    }
)
_TABLE_FILES = ("table.dat", "table.info", "table.lock")

# What CASA calls SEVERE although nothing is wrong with the data, whoever started it.
_HARMLESS = (
    re.compile(r"MeasTable::"),  # tables of leap seconds and earth rotation that are not of this week
    re.compile(r"is missing the following fields: scan scanmap"),  # a calibration library's optional keys
)
# What a way says besides. Scripts are people's: what theirs say without need is for the place's settings.
_HARMLESS_OF_WAY = {
    "pipeline": (re.compile(r"Error creating hard link to CASA log"),),  # then it takes a symbolic link
}
_NO_SPACE = re.compile(r"no space left on device", re.IGNORECASE)
_NO_ROOM = "NoRoomError: "
_CALTABLE_TROUBLE = re.compile(r"\.tbl\b|Calibrater::(setapply|callib)|does not exist", re.IGNORECASE)
_TOLD = {
    "CasaVersionError": ReasonCode.CASA_VERSION_UNAVAILABLE,
    "PipelineError": ReasonCode.PIPELINE_FAILED,
    "ScriptError": ReasonCode.SCRIPT_FAILED,
}
_SEVERE = {"pipeline": ReasonCode.PIPELINE_FAILED, "scriptForPI": ReasonCode.SCRIPT_FAILED}
_SIGNAL_BASE = 128
_BEFORE_DATA = ("starting", "loading CASA")


def judge(
    status: int,
    result: CasaResult,
    *,
    promise: AsdmPromise,
    selected: Sequence[str],
    partly: bool = False,
    averaged_in_time: bool = False,
    printed: str,
    severe: Sequence[str],
    disk_is_full: bool,
) -> Described:
    """Decide whether CASA did what it was asked to, and give the MeasurementSet that it made.

    Parameters
    ----------
    status
        Exit status, -N if signal N ended it (or 128 + N, as a shell says it).
    result
        Its last word.
    promise
        What the ASDM promises.
    selected
        Fields that are delivered; empty is all.
    partly
        Whether only some spectral windows are delivered: the rows of these count, as they were imported.
    averaged_in_time
        Whether rows are averaged: then each field has to have some.
    printed
        The end of what it printed.
    severe
        Log lines that may not be.
    disk_is_full
        Whether the scratch disk is, now.

    Raises
    ------
    ScratchFullError
        If it failed for want of room.
    CasaAwayError
        If it failed before it looked at the data.
    BlockFailedError
        With the reason, if it failed otherwise.
    """
    if status != 0 and (disk_is_full or _NO_SPACE.search(f"{printed} {result.error}")):
        raise ScratchFullError(f"the scratch disk became full in step {result.step}: make room there")
    if result.error and result.error.startswith(_NO_ROOM):
        raise ScratchFullError(f"the scratch disk has too little room: {result.error.removeprefix(_NO_ROOM)}")
    if result.imported_rows_by_field is not None:
        check_rows("the imported MeasurementSet", promise.rows_by_field, result.imported_rows_by_field)
    if status != 0:
        raise _failure(status, result, printed)
    if result.output is None:
        raise BlockFailedError(ReasonCode.CASA_FAILED, f"CASA ended in step {result.step} without a result")
    check_output(result.output, _due(promise, result, partly=partly, averaged_in_time=averaged_in_time), selected)
    check_flags(result.due_flags_by_field, result.output.flags_by_field)
    if severe:
        reason = _SEVERE.get(result.method or "", ReasonCode.CASA_FAILED)
        raise BlockFailedError(reason, f"CASA's log has SEVERE lines: {' | '.join(severe[:5])}")
    return result.output


def _due(promise: AsdmPromise, result: CasaResult, *, partly: bool, averaged_in_time: bool) -> AsdmPromise:
    """Work out which rows a selection has to have: of what was imported whole, or some at least."""
    rows = dict(promise.rows_by_field)
    if partly:
        selected = result.selected_rows_by_field or {}
        rows = {name: selected.get(name, 0) for name in rows}
    if averaged_in_time:
        rows = {name: min(1, count) for name, count in rows.items()}
    return replace(promise, rows_by_field=rows)


def _failure(status: int, result: CasaResult, printed: str) -> BlockFailedError | CasaAwayError:
    what = result.error or (printed.strip().splitlines() or ["nothing was printed"])[-1]
    for error, reason in _TOLD.items():
        if what.startswith(f"{error}:"):
            return BlockFailedError(reason, what)
    if result.step in _BEFORE_DATA:
        return CasaAwayError(f"CASA does not start here (exit status {status}): {what}; check its installation")
    number = -status if status < 0 else status - _SIGNAL_BASE
    if number > 0:
        return BlockFailedError(
            ReasonCode.CASA_CRASHED, f"CASA was ended by {_signal_name(number)} in step {result.step}"
        )
    detail = f"exit status {status} in step {result.step}: {what}"
    if result.step == "caltables" or (result.step in ("applycal", "mstransform") and _CALTABLE_TROUBLE.search(what)):
        return BlockFailedError(ReasonCode.CALTABLE_DAMAGED, detail)
    return BlockFailedError(ReasonCode.CASA_FAILED, detail)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def check_output(output: Described, promise: AsdmPromise, selected: Sequence[str]) -> None:
    """Make sure that a delivered MeasurementSet can be read and has its rows, its columns and its subtables.

    Raises
    ------
    BlockFailedError
        If it has not (``output_incomplete``).
    """
    if output.damaged:
        raise _incomplete(f"the calibrated MeasurementSet is damaged: {'; '.join(output.damaged[:5])}")
    fields = selected or promise.fields
    expected = {name: rows for name, rows in promise.rows_by_field.items() if name in fields}
    check_rows("the calibrated MeasurementSet", expected, output.rows_by_field)
    foreign = sorted(set(output.rows_by_field) - set(fields))
    there = set(output.columns) - set(output.undefined)
    missing = sorted((COLUMNS - there) | (SUBTABLES - set(output.subtables)))
    if foreign:
        raise _incomplete(f"the calibrated MeasurementSet has fields that were not asked for: {', '.join(foreign)}")
    if missing:
        raise _incomplete(f"the calibrated MeasurementSet lacks {', '.join(missing)}")


def check_rows(what: str, expected: Mapping[str, int], found: Mapping[str, int]) -> None:
    """Make sure that no field has fewer rows than the ASDM promises.

    Raises
    ------
    BlockFailedError
        If one has (``output_incomplete``), naming each with both numbers.
    """
    short = {name: rows for name, rows in expected.items() if found.get(name, 0) < rows}
    if short:
        told = "; ".join(f"{name}: {found.get(name, 0)} of {rows}" for name, rows in short.items())
        raise _incomplete(f"{what} lacks rows that the ASDM's Main table promises: {told}")


def check_flags(due: Mapping[str, Flags], found: Mapping[str, Flags]) -> None:
    """Make sure that no field has lost all its flags, or all its good values, when it was taken out.

    Raises
    ------
    BlockFailedError
        If one has (``output_incomplete``).
    """
    both = [(name, due[name], flags) for name, flags in found.items() if name in due]
    bare = sorted(name for name, before, flags in both if before.flagged and not flags.flagged)
    lost = sorted(name for name, before, flags in both if before.good and not flags.good)
    if bare:
        raise _incomplete(f"the calibrated MeasurementSet has no flags, which were restored, of {', '.join(bare)}")
    if lost:
        raise _incomplete(f"the calibrated MeasurementSet has all values flagged, which were not, of {', '.join(lost)}")


def check_files(table: Path) -> None:
    """Make sure that a table and those in it are whole on disk.

    Raises
    ------
    BlockFailedError
        If a file of a table is missing or empty (``output_incomplete``).
    """
    folders = [table, *(path for path in table.iterdir() if path.is_dir())] if table.is_dir() else [table]
    for folder in folders:
        for name in _TABLE_FILES:
            file = folder / name
            if not file.is_file() or file.stat().st_size == 0:
                raise _incomplete(f"{file.relative_to(table.parent)} is missing or empty")


def severe_lines(log: Iterable[str], *, method: str, harmless: Sequence[str] = ()) -> Iterator[str]:
    """Yield the SEVERE lines of a CASA log that a good restore does not have.

    Parameters
    ----------
    log
        Lines of ``time<TAB>priority<TAB>origin<TAB>message``.
    method
        The way that was taken.
    harmless
        More that good restores say here; regular expressions, looked for in origin and message.
    """
    patterns = (*_HARMLESS, *_HARMLESS_OF_WAY.get(method, ()), *map(re.compile, harmless))
    for line in log:
        parts = line.rstrip("\n").split("\t")
        if len(parts) > 1 and parts[1].strip() in ("SEVERE", "ERROR"):
            text = " ".join(part.strip() for part in parts[2:])
            if not any(pattern.search(text) for pattern in patterns):
                yield text


def _incomplete(detail: str) -> BlockFailedError:
    return BlockFailedError(ReasonCode.OUTPUT_INCOMPLETE, detail)

"""Restore an execution block in a single pass: ``python single_pass.py JOB``, beside ``reference.py``.

The visibilities stay in the ASDM's binary files (lazy import) and are read once: one
``mstransform`` with a calibration library corrects, selects and writes them. If a table
turns out not to have the solutions that are needed, or if all values of a field come out flagged,
the block is restored the reference way, if the disk has room for that.
"""

import importlib
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

_PIECE = 4096
_KEYS = ("TIME", "ANTENNA1", "ANTENNA2", "DATA_DESC_ID", "FIELD_ID")


class NoRoomError(Exception):
    """The disk has room for a single pass, and not for the reference way."""


def restore(job: "dict[str, Any]", progress: Any, result: "dict[str, Any]") -> None:
    """Do all steps in the working directory and describe what came out."""
    reference = importlib.import_module("reference")
    tasks, tables = reference.load(job, progress, result)
    progress.say("caltables", 5)
    lacking = unsolved(job["library"], tables)
    if lacking is not None:
        result["rule"] = lacking
        require_room(job, rule=lacking)
        reference.restore(job, progress, result)
        return
    lay_out_tables(job)
    if job["halves"]:
        halves = importlib.import_module("halves")
        try:
            halves.restore(job, progress, result, tasks, tables)
        except halves.HalvesDifferError as error:
            _begin_again({**job, "rule": f"halves_differ: {error}", "halves": None}, left_by=job, program=__file__)
    else:
        reference.import_flagged(job, progress, result, tasks, tables, lazy=True)
        correct(job, progress, tasks, tables)
        reference.verify(job, progress, result, tables, "single pass")
    flagged = importlib.import_module("flags").all_flagged(result)
    if flagged:
        # Solutions may flag a whole field, on top of the flags that were restored: the reference says whether they do.
        again = {**job, "rule": f"all_flagged: {', '.join(flagged)}"}
        _begin_again(again, left_by=job, program=str(reference.__file__), room=True)


def lay_out_tables(job: "dict[str, Any]") -> None:
    """Put each calibration table where the library names it, since it names no directories."""
    for term in job["library"]:
        if not Path(term["name"]).is_symlink():  # as one that begins again finds them
            Path(term["name"]).symlink_to(term["caltable"])


def correct(job: "dict[str, Any]", progress: Any, tasks: Any, tables: Any) -> None:
    """Write the corrected data of a lazily imported, flagged MeasurementSet."""
    reference, intents = importlib.import_module("reference"), importlib.import_module("intents")
    progress.say("mstransform", 50)
    modes = intents.modes_of(job["vis"], tables)
    if job["halves"]:
        job = {**job, "library": [term for term in job["library"] if intents.is_observed(term["intent"], modes)]}
        if not job["library"]:
            raise importlib.import_module("halves").HalvesDifferError("one has nothing to be corrected")
    lines = [
        library_line({**term, "intent": intents.intent_expression(term["intent"], modes)}) for term in job["library"]
    ]
    library = Path(job["vis"] + ".library")
    library.write_text("\n".join(lines) + "\n")
    reference.take_out(job, tasks, tables, {"docallib": True, "callib": str(library)})
    if job["raw_autocorrelations"]:
        progress.say("autocorrelations", 85)
        _restore_autocorrelations(job, reference.field_numbers(job, tables), tasks)


def _begin_again(job: "dict[str, Any]", *, left_by: "dict[str, Any]", program: str, room: bool = False) -> None:
    """Do another job, as the same process but with a new CASA, since one that imports twice crashes.

    Parameters
    ----------
    left_by
        The job that was tried, whose files are removed.
    room
        Whether it needs the room of the reference way.
    """
    folders = left_by["halves"]["folders"] if left_by["halves"] else ()
    for path in (job["vis"], job["output"], job["vis"] + ".autocorrelations", *folders):
        shutil.rmtree(path, ignore_errors=True)
    if room:
        require_room(job, rule=job["rule"])
    again = Path("again.json")
    again.write_text(json.dumps(job))
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, program, str(again)])  # noqa: S606 (our own program)


def require_room(job: "dict[str, Any]", *, rule: str) -> None:
    """Make sure that the disk has what the reference way needs beside the ASDM: the block began with less."""
    free = shutil.disk_usage(".").free
    if free < job["reference_room"]:
        raise NoRoomError(
            f"{free} bytes are free, and {job['reference_room']} are needed for the reference way "
            f"({rule}): make room there"
        )


def library_line(term: "dict[str, Any]") -> str:
    """Write a term as a line of a calibration library."""
    texts = {
        "caltable": term["name"],
        "tinterp": term["tinterp"] or "linear",
        **{name: term[name] for name in ("finterp", "field", "intent", "spw", "fldmap")},
    }
    words = [f"{name}='{text}'" for name, text in texts.items() if text]
    words.insert(1, f"calwt={bool(term['calwt'])}")
    if term["spwmap"]:
        words.append(f"spwmap={list(term['spwmap'])}")
    return " ".join(words)


def unsolved(library: "list[dict[str, Any]]", tables: Any) -> "str | None":
    """Name the rule by which a table is not fit for a single pass; None if all are.

    Where a spectral window has no solutions, applycal flags its data and a library leaves it
    as it is; where a gain field has none, applycal fails and a library uses none.
    """
    contents: dict[str, tuple[list[str], set[tuple[int, int]]]] = {}
    for term in library:
        path = term["caltable"]
        if path not in contents:
            names = [str(name) for name in tables.column(path + "/FIELD", "NAME")]
            fields, spws = (tables.column(path, name).tolist() for name in ("FIELD_ID", "SPECTRAL_WINDOW_ID"))
            contents[path] = (names, set(zip(fields, spws)))  # noqa: B905 (not every CASA's Python has strict)
        rule = unsolved_term(term, *contents[path])
        if rule is not None:
            return f"{rule}: {path}"
    return None


def unsolved_term(term: "dict[str, Any]", names: "list[str]", solved: "set[tuple[int, int]]") -> "str | None":
    """Judge one term by the fields' names and the pairs of field and spectral window that have solutions."""
    fields = {field for field, _ in solved}
    for wanted in term["gainfields"]:
        found = {number for number in fields if number < len(names) and names[number] == wanted}
        if not found and wanted.isdigit():
            found = {int(wanted)} & fields
        if not found:
            return "gainfield_unsolved"
    if any((field, spw) not in solved for field in fields for spw in term["needs"]):
        return "solutions_incomplete"
    return None if fields else "solutions_incomplete"


def _restore_autocorrelations(job: "dict[str, Any]", selection: str, tasks: Any) -> None:
    """Put raw autocorrelations where the pass has corrected them, which applycal would not have done."""
    raw = {"datacolumn": "data", "keepflags": True, "antenna": "*&&&", "field": selection}
    autocorrelations = job["vis"] + ".autocorrelations"
    shutil.rmtree(autocorrelations, ignore_errors=True)
    tasks.mstransform(vis=job["vis"], outputvis=autocorrelations, **raw, **job["transform"])
    casatools = importlib.import_module("casatools")
    source, target = casatools.table(), casatools.table()
    source.open(autocorrelations)
    target.open(job["output"], nomodify=False)
    try:
        for description in sorted(set(source.getcol("DATA_DESC_ID").tolist())):
            chosen = f"ANTENNA1 == ANTENNA2 && DATA_DESC_ID == {description}"
            raws, places = source.query(chosen), target.query(chosen)
            try:
                _copy(raws, places)
            finally:
                raws.close()
                places.close()
    finally:
        target.close()
        source.close()


def _copy(source: Any, target: Any) -> None:
    """Copy rows of one shape, piece by piece."""
    numpy = importlib.import_module("numpy")
    if source.nrows() != target.nrows():
        raise ValueError("some autocorrelations are missing")
    for first in range(0, source.nrows(), _PIECE):
        piece = {"startrow": first, "nrow": min(_PIECE, source.nrows() - first)}
        if any(not numpy.array_equal(source.getcol(name, **piece), target.getcol(name, **piece)) for name in _KEYS):
            raise ValueError("autocorrelations come in another order than they were taken out")
        for name in ("DATA", "FLAG", "FLAG_ROW", "WEIGHT"):
            target.putcol(name, source.getcol(name, **piece), **piece)
        # As split derives it from the weights of corrected data, to the last bit.
        weights = source.getcol("WEIGHT", **piece).astype("float32")
        target.putcol("SIGMA", numpy.float32(1) / numpy.sqrt(weights), **piece)


if __name__ == "__main__":
    sys.exit(importlib.import_module("reference").main(Path(sys.argv[1]), restore))

"""Restore both halves of an ASDM in two processes at once: ``single_pass.py`` does so where it has two cores.

The runner has cut the ASDM between two scans: each half has all of its tables, but only its own rows of Main. The later
half has the last subscan of the earlier one besides, the seam: what both make of it has to be the same to the bit.
"""

import importlib
import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any


class HalvesDifferError(Exception):
    """Two halves would not be the same as the whole."""


def restore(job: "dict[str, Any]", progress: Any, result: "dict[str, Any]", tasks: Any, tables: Any) -> None:
    """Do as a single pass does, in halves."""
    reference, single_pass = importlib.import_module("reference"), importlib.import_module("single_pass")
    joining = importlib.import_module("joining")

    def restored(half: "dict[str, Any]", own: Any) -> "dict[str, Any]":
        prepare(half, own, tasks, tables)
        single_pass.correct(half, own, tasks, tables)
        return dict(reference.look(half, tables))

    halves = halves_of(job)
    try:
        earlier, later = in_both(halves, progress, restored)
    finally:
        result["imported_rows_by_field"] = added(*map(_imported, halves))
    joining.check_seam(halves)
    intents = importlib.import_module("intents")
    modes = [mode for half in halves for mode in intents.modes_of(half["vis"], tables)]
    for term in job["library"]:
        intents.intent_expression(term["intent"], modes)
    joining.join(halves)
    seen = {"rows": added(earlier["rows"], later["rows"]), "flags": _either(earlier["flags"], later["flags"])}
    reference.verify({**job, "vis": halves[1]["vis"]}, progress, result, tables, "single pass", seen=seen)


def halves_of(job: "dict[str, Any]") -> "tuple[dict[str, Any], dict[str, Any]]":
    """Tell the job of each half, which lie in folders of their own; the earlier one makes what is delivered."""
    cut = job["halves"]
    earlier, later = (
        {
            **job,
            "asdm": f"{folder}/{job['asdm']}",
            "vis": f"{folder}/{job['vis']}",
            "all_flags": job["vis"],
            "rows_by_field": rows_by_field,
        }
        for folder, rows_by_field in zip(cut["folders"], cut["rows_by_field"])  # noqa: B905 (not every CASA's Python has strict)
    )
    own = {**job["transform"], "scan": f">{cut['after']}"}
    return (
        {**earlier, "after": None},
        {**later, "after": cut["after"], "transform": own, "output": later["vis"] + ".split.cal"},
    )


def prepare(half: "dict[str, Any]", progress: Any, tasks: Any, tables: Any) -> None:
    """Import a half, make sure that no row is lost, and restore its part of the final flags."""
    reference = importlib.import_module("reference")
    if half["after"] is not None:
        convert_at(half["halves"]["epoch"])
    reference.import_asdm(half, progress, tasks, lazy=True)
    imported = tables.rows_by_field(half["vis"], after=half["after"])
    Path(half["vis"] + ".imported").write_text(json.dumps(imported))
    reference.check_rows(half, {"imported_rows_by_field": imported})
    progress.say("flagmanager", 45)
    importlib.import_module("joining").restore_flags(half)


def _imported(half: "dict[str, Any]") -> "dict[str, int]":
    """Tell by field which rows a half has imported, the seam apart; those it has to, if it did not get so far."""
    told = Path(half["vis"] + ".imported")
    return dict(json.loads(told.read_text()) if told.exists() else half["rows_by_field"])


def convert_at(seconds: float) -> None:
    """Convert a baseline at the epoch at which an import of the whole begins.

    CASA's measures look up the earth's rotation once for an hour or so, at the first epoch that they convert. Where
    the later half's process began with its own, UVW would differ by some 1e-7 m.
    """
    casatools = importlib.import_module("casatools")
    measures, quantity = casatools.measures(), casatools.quanta().quantity
    measures.doframe(measures.position("ITRF", *(quantity(length, "m") for length in (2225e3, -5440e3, -2481e3))))
    measures.doframe(measures.direction("J2000", quantity(0, "rad"), quantity(0, "rad")))
    measures.doframe(measures.epoch("UTC", quantity(seconds, "s")))
    measures.measure(measures.baseline("ITRF", *(quantity(length, "m") for length in (100, 100, 100))), "J2000")
    measures.done()


def in_both(halves: "tuple[dict[str, Any], dict[str, Any]]", progress: Any, work: Any) -> "list[Any]":
    """Do some work on both halves at once, on the earlier one in a process of its own; return what both tell.

    Raises
    ------
    HalvesDifferError, RuntimeError
        If the work on the earlier half raised that, or something else; a signal that ended it ends this process, too.
    """
    earlier, later = halves
    told = Path(earlier["vis"] + ".told")
    sys.stdout.flush()
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        _be_other(parent, lambda: work(earlier, Silent()), told)
    try:
        found = work(later, progress)
    except BaseException:  # whatever ended the later half, the earlier must not go on alone; raised again
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        os.kill(parent, os.WTERMSIG(status))
    answer = json.loads(told.read_text())
    if "differ" in answer:
        raise HalvesDifferError(answer["differ"])
    if "error" in answer:
        raise RuntimeError(answer["error"])
    return [answer["found"], found]


class Silent:
    """Progress that is not told, since the other half's is."""

    def say(self, step: str, percent: float) -> None:
        """Say nothing."""


def added(one: "dict[str, int]", other: "dict[str, int]") -> "dict[str, int]":
    """Add up rows by field."""
    return {name: one.get(name, 0) + other.get(name, 0) for name in {**one, **other}}


def _either(*halves: "dict[str, dict[str, bool]]") -> "dict[str, dict[str, bool]]":
    """Tell the kinds of flags by field that one half has, or the other."""
    found = {}  # type: dict[str, dict[str, bool]]
    for half in halves:
        for name, kinds in half.items():
            known = found.setdefault(name, dict.fromkeys(kinds, False))
            known.update({kind: seen or known[kind] for kind, seen in kinds.items()})
    return found


def _be_other(parent: int, work: Any, told: Path) -> None:
    """Work, tell what was found, and end this process; nothing of the first's is ended with it."""
    answer = {}  # type: dict[str, Any]
    try:
        importlib.import_module("reference").die_with_parent(parent)
        answer = {"found": work()}
    except HalvesDifferError as error:
        answer = {"differ": str(error)}
    except BaseException as error:  # whatever it is, the first has to know
        traceback.print_exc()
        answer = {"error": f"{type(error).__name__}: {error}"}
    finally:
        told.write_text(json.dumps(answer))
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)

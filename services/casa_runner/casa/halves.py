"""Take the corrected data out in two processes at once: ``single_pass.py`` does so where it has two cores.

Rows are written scan by scan, so the rows of the later scans are appended to those of the earlier ones.
What is about no scan (all tables but the main one) comes out the same in both halves.
"""

import importlib
import os
import shutil
import signal
import sys
import traceback
from typing import Any

SECOND = "second-half.ms"


def take_out(job: "dict[str, Any]", tasks: Any, tables: Any, calibration: "dict[str, Any]") -> None:
    """Do as ``reference.take_out``, in halves if the data can be cut between two scans."""
    reference = importlib.import_module("reference")
    scans = None if "timeaverage" in job["transform"] else cut(*rows_of(job, tables))
    if scans is None:
        reference.take_out(job, tasks, tables, calibration)
        return
    first, second = (job | {"transform": {**job["transform"], "scan": expression}} for expression in scans)
    sys.stdout.flush()
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        _be_second(parent, lambda: reference.take_out(second | {"output": SECOND}, tasks, tables, calibration))
    try:
        reference.take_out(first, tasks, tables, calibration)
    except BaseException:  # whatever ended the first half, the second must not go on alone; raised again
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise
    _, status = os.waitpid(child, 0)
    if status != 0:
        raise RuntimeError(f"the second half ended with status {status}")
    append(SECOND, job["output"], known=_rows(job["vis"] + "/HISTORY"))
    shutil.rmtree(SECOND)


def rows_of(job: "dict[str, Any]", tables: Any) -> "tuple[list[int], dict[int, int]]":
    """Read the scans in the order of the rows, and count the rows of each that are taken out.

    No scans are told if there are several observations or arrays, which come before scans in the order of rows.
    """
    vis = job["vis"]
    columns = {name: tables.column(vis, name).tolist() for name in ("SCAN_NUMBER", "FIELD_ID", "DATA_DESC_ID")}
    if any(len(set(tables.column(vis, name).tolist())) > 1 for name in ("OBSERVATION_ID", "ARRAY_ID")):
        return [], {}
    names = [str(name) for name in tables.column(vis + "/FIELD", "NAME")]
    spw_of = tables.column(vis + "/DATA_DESCRIPTION", "SPECTRAL_WINDOW_ID").tolist()
    counts: dict[int, int] = {}
    for scan, field, description in zip(*columns.values()):  # noqa: B905 (not every CASA's Python has strict)
        if (not job["fields"] or names[field] in job["fields"]) and (
            not job["spws"] or spw_of[description] in job["spws"]
        ):
            counts[scan] = counts.get(scan, 0) + 1
    return columns["SCAN_NUMBER"], counts


def cut(order: "list[int]", counts: "dict[int, int]") -> "tuple[str, str] | None":
    """Choose two ranges of scans with about as many rows; None if there are no two."""
    scans = sorted(counts)
    if len(scans) < 2 or any(later < earlier for earlier, later in zip(order, order[1:])):  # noqa: B905, RUF007 (not every CASA's Python has strict or pairwise)
        return None
    total, before, best = sum(counts.values()), 0, (sum(counts.values()), 0)
    for number, scan in enumerate(scans[:-1]):
        before += counts[scan]
        best = min(best, (abs(total - 2 * before), number))
    return f"{scans[0]}~{scans[best[1]]}", f"{scans[best[1] + 1]}~{scans[-1]}"


def append(second: str, first: str, *, known: int) -> None:
    """Append the rows of one MeasurementSet to another, and what its history has beyond the known rows."""
    casatools = importlib.import_module("casatools")
    table = casatools.table()
    table.open(second)
    try:
        table.copyrows(first)
    finally:
        table.close()
    table.open(second + "/HISTORY")
    try:
        table.copyrows(first + "/HISTORY", startrowin=known)
    finally:
        table.close()


def _rows(path: str) -> int:
    table = importlib.import_module("casatools").table()
    table.open(path)
    try:
        return int(table.nrows())
    finally:
        table.close()


def _be_second(parent: int, work: Any) -> None:
    """Work and end this process; nothing of the first's is ended with it."""
    status = 1
    try:
        importlib.import_module("reference").die_with_parent(parent)
        work()
        status = 0
    except BaseException:  # whatever it is, the first has to know
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)

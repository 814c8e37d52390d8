"""Run many calibrations of one execution block both ways, in one CASA process: ``python casa_matrix.py ORDER``.

ORDER is a JSON file with the ASDM, the folder of the runner's scripts, the caltables, and the
cases by name. It writes what differs, per case, to the file that it names. The ASDM is imported once
per way: the whole way with the flags of the binary files, after which its final flags are saved; the lazy way as
the runner does, which restores them. What follows the import is the runner's own code.
"""

import contextlib
import importlib
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

COLUMNS = (
    *("DATA", "FLAG", "WEIGHT", "SIGMA", "FLAG_ROW", "UVW", "TIME", "INTERVAL", "EXPOSURE"),
    *("ANTENNA1", "ANTENNA2", "DATA_DESC_ID", "SCAN_NUMBER", "FIELD_ID", "STATE_ID"),
)


def vary(tb: Any, source: str, name: str, change: Callable[[Any], None]) -> None:
    """Copy a caltable and change the copy."""
    shutil.copytree(source, name)
    tb.open(name, nomodify=False)
    change(tb)
    tb.close()


def flagged(**which: Any) -> Callable[[Any], None]:
    """Flag solutions of an antenna, a spectral window, a polarisation or channels, or every third one."""

    def change(tb: Any) -> None:
        flags, rows = tb.getcol("FLAG"), chosen(tb, which)
        pols = which.get("pol", slice(None))
        channels = slice(*which["channels"]) if "channels" in which else slice(None)
        block = flags[:, :, rows]
        block[pols, channels, :] = True
        flags[:, :, rows] = block
        tb.putcol("FLAG", flags)

    return change


def dropped(**which: Any) -> Callable[[Any], None]:
    """Remove solutions."""

    def change(tb: Any) -> None:
        tb.removerows(np.nonzero(chosen(tb, which))[0].tolist())

    return change


def chosen(tb: Any, which: dict[str, Any]) -> Any:
    rows = np.ones(tb.nrows(), bool)
    for key, column in (("antenna", "ANTENNA1"), ("spw", "SPECTRAL_WINDOW_ID"), ("field", "FIELD_ID")):
        if key in which:
            rows &= tb.getcol(column) == which[key]
    if "scans" in which:
        rows &= np.isin(tb.getcol("SCAN_NUMBER"), which["scans"])
    if which.get("every_third"):
        rows &= np.arange(len(rows)) % 3 == 0
    return rows


VARIANTS = {
    "tsys_flagged": ("tsys", flagged(antenna=3, spw=0)),
    "tsys_all_flagged": ("tsys", flagged(spw=0)),
    "tsys_channels": ("tsys", flagged(channels=(8, 12))),
    "tsys_spw0": ("tsys", dropped(spw=1)),
    "tsys_no_antenna": ("tsys", dropped(antenna=3, spw=0)),
    "bandpass_flagged": ("bandpass", flagged(antenna=2)),
    "bandpass_one_pol": ("bandpass", flagged(antenna=2, pol=0)),
    "bandpass_no_antenna": ("bandpass", dropped(antenna=2)),
    "phase_flagged": ("phase", flagged(antenna=1, every_third=True)),
    "scan_gap": ("scan", dropped(scans=(6, 7, 8, 9))),
    "scan_flagged": ("scan", flagged(antenna=4, scans=(5, 7))),
    "phase_no_flux_field": ("phase", dropped(field=1)),
}


class Silent:
    """Progress that nobody listens to."""

    def say(self, step: str, percent: float) -> None:
        """Say nothing."""


def columns_of(tb: Any, ms: str) -> dict[str, Any]:
    tb.open(ms)
    try:
        return {name: tb.getcol(name) for name in COLUMNS}
    finally:
        tb.close()


def main(order: dict[str, Any]) -> None:
    reference, single = importlib.import_module("reference"), importlib.import_module("single_pass")
    tasks, tables = reference.load({"only_version": None}, Silent(), {})
    tb = importlib.import_module("casatools").table()
    for name, path in order["tables"].items():
        Path(name).symlink_to(path)
    for name, (source, change) in VARIANTS.items():
        vary(tb, source, name, change)
    base = {"asdm": order["asdm"], "rows_by_field": {}, "spws": []}
    tasks.importasdm(asdm=order["asdm"], vis="full.ms", asis=reference.ASIS, bdfflags=True, flagbackup=False)
    from_correlator = tb_column(tb, "full.ms", "FLAG").mean()
    finish_flags(tb, "full.ms")
    tasks.flagmanager(vis="full.ms", mode="save", versionname=reference.FINAL_FLAGS)
    Path("full.ms.flagversions").rename("lazy.ms.flagversions")
    reference.import_flagged({**base, "vis": "lazy.ms"}, Silent(), {}, tasks, tables, lazy=True)
    prepare_halves({**base, "vis": "lazy.ms", "transform": {}, "halves": order["halves"]}, tasks, tables)
    found: dict[str, Any] = {}
    for number, (name, case) in enumerate(order["cases"].items()):
        job = {**base, **case, "halves": order["halves"] if number % 2 == 1 else None}  # every second one in two
        found[name] = compared(job, tb, reference, single, tasks, tables)
    answer = {"cases": found, "flagged_by_correlator": from_correlator}
    Path(order["answer"]).write_text(json.dumps(answer))


def prepare_halves(job: dict[str, Any], tasks: Any, tables: Any) -> None:
    """Import both halves, each in a process of its own."""
    halves = importlib.import_module("halves")
    for half in halves.halves_of(job):
        if (child := os.fork()) == 0:
            halves.prepare(half, Silent(), tasks, tables)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0


def correct(job: dict[str, Any], single: Any, tasks: Any, tables: Any) -> None:
    """Do a single pass on what has been imported, whole or in halves."""
    if not job["halves"]:
        single.correct(job, Silent(), tasks, tables)
        return
    halves, joining = importlib.import_module("halves"), importlib.import_module("joining")
    both = halves.halves_of(job)
    halves.in_both(both, Silent(), lambda half, silent: single.correct(half, silent, tasks, tables))
    joining.check_seam(both)
    joining.join(both)


def finish_flags(tb: Any, ms: str) -> None:
    """Flag and unflag as a pipeline and people would, so that the final flags are not the correlator's."""
    tb.open(ms, nomodify=False)
    flags, rows, antennas, scans = (tb.getcol(name) for name in ("FLAG", "FLAG_ROW", "ANTENNA1", "SCAN_NUMBER"))
    flags[:, :, scans == 1], rows[scans == 1] = False, False
    flags[:, [0, 1, -2, -1], :] = True
    flags[:, :, (antennas == 4) & (scans == 2)] = True
    tb.putcol("FLAG", flags)
    tb.putcol("FLAG_ROW", rows)
    tb.close()


def tb_column(tb: Any, ms: str, name: str) -> Any:
    tb.open(ms)
    try:
        return tb.getcol(name)
    finally:
        tb.close()


def compared(job: dict[str, Any], tb: Any, reference: Any, single: Any, tasks: Any, tables: Any) -> dict[str, Any]:
    """Do one case both ways; name what differs, or how they end."""
    for path in Path().glob("*.out*"):
        shutil.rmtree(path)
    for path in Path().glob("call*"):
        path.unlink()
    shutil.rmtree("work.ms", ignore_errors=True)
    lacking = single.unsolved(job["library"], tables)
    if lacking is not None:
        return {"rule": lacking}
    shutil.copytree("full.ms", "work.ms")
    ends = {}
    try:
        reference.apply(job["calls"], "work.ms", tasks, tables, Silent())
        reference.take_out({**job, "vis": "work.ms", "output": "reference.out"}, tasks, tables, {})
    except Exception as error:  # how a way ends is what is compared, and CASA raises anything
        ends["reference"] = str(error)
    try:
        single.lay_out_tables(job)
        correct({**job, "vis": "lazy.ms", "output": "single.out"}, single, tasks, tables)
    except Exception as error:  # how a way ends is what is compared, and CASA raises anything
        ends["single"] = str(error)
    if ends:
        return {"ends": ends}
    wanted, made = columns_of(tb, "reference.out"), columns_of(tb, "single.out")
    return {"differs": [name for name in COLUMNS if not np.array_equal(wanted[name], made[name])]}


if __name__ == "__main__":
    given = json.loads(Path(sys.argv[1]).read_text())
    sys.path.insert(0, given["scripts"])
    with contextlib.chdir(given["folder"]):
        main(given)

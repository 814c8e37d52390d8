"""Measure the ways to restore one execution block, and the tar that is streamed into the store.

Blocks of 140 MB and 1 GB, made by CASA and cached; five ways in turn: the reference (import,
applycal per call, split), all that the pipeline's ``hifa_restoredata`` does by CASA tasks (flags are backed up and
summed up besides; applycal has a calibration library) and then split, lazy import + applycal + split, and the single
pass on one core and on two, as a runner does where a core is idle. What is asked for is asked of both, beside the
reference, which does less than the pipeline.
CASA's own process is measured: wall and CPU time in several rounds, and in one before them, which is not timed since
looking takes a core's time from those who need both, peak memory, bytes written, and the largest size that its working
directory had (the ASDM, which lies in the store, apart). All outputs are compared bit by bit.

On a disk the same writes take the kernel once 1 s and once 3 s of processor time; ``--folder`` measures elsewhere, as
in memory, where they always take 1 s.

The tar is streamed into a real S3 server, against reading the MeasurementSet and a plain upload of a
tar that exists, whichever is slower.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import TypeVar

from contracts.identifiers import ExecBlockUid, MousUid, SessionName
from observatory.blocks import BlockSize, BlockSpec, MadeBlock, ensure_blocks
from services.casa_runner.asdm import read_promise, rows_in
from services.casa_runner.casas import ChosenCasa
from services.casa_runner.halves import cut
from services.casa_runner.job import REFERENCE_SCRIPT, SINGLE_PASS_SCRIPT, CasaFiles
from services.casa_runner.observed import read_observed
from services.casa_runner.single_pass import make_library
from services.casa_runner.way_by_tasks import TasksWay
from services.casa_runner.workspace import Workspace, folder_size
from shared.pipeline_files import read_calapply
from tests.benchmarks.report import Figure, close, in_turn, ratio
from tests.benchmarks.restore_scripts import LAZY_APPLYCAL, PIPELINE_STEPS
from tests.benchmarks.tar_upload import tar_and_upload
from tests.support.casa_orders import ALL
from tests.support.measurement_sets import differences

EB = ExecBlockUid("uid://A002/Xc7111c/X3979")
CACHE = Path(__file__).parents[2] / ".cache" / "observatory"
HALVES = "single pass, two cores"
_LOOK_SECONDS = 0.05
PIPELINE = "steps of hifa_restoredata"
Watched = TypeVar("Watched")


@dataclass(frozen=True)
class Cost:
    """What one restore took, seconds."""

    wall: float
    cpu: float


@dataclass(frozen=True)
class Space:
    """What one restore had at most at once, and what it wrote altogether; decimal megabytes."""

    memory: float
    scratch: float
    written: float


class Ways:
    """Restores one block in each way, in fresh working directories.

    Parameters
    ----------
    block
        The execution block.
    folder
        Where the directories are made.
    """

    def __init__(self, block: MadeBlock, folder: Path) -> None:
        self._block = block
        self._workspace = Workspace(scratch=folder / "scratch", failed_quota=0)
        self._outputs = folder / "outputs"
        self._outputs.mkdir()
        lazy, pipeline = folder / "lazy_applycal.py", folder / "pipeline_steps.py"
        for path, text in ((lazy, LAZY_APPLYCAL), (pipeline, PIPELINE_STEPS)):
            path.write_text(text.format(scripts=str(REFERENCE_SCRIPT.parent)))
        self.scripts = {
            "reference": REFERENCE_SCRIPT,
            PIPELINE: pipeline,
            "lazy applycal": lazy,
            "single pass": SINGLE_PASS_SCRIPT,
            HALVES: SINGLE_PASS_SCRIPT,
        }
        self.costs: dict[str, list[Cost]] = {name: [] for name in self.scripts}

    def look(self, name: str) -> Space:
        """Restore once and look at it meanwhile."""
        return self._restored(name, looked_at)

    def run(self, name: str) -> float:
        """Restore once; the seconds that it took."""
        cost = self._restored(name, timed)
        self.costs[name].append(cost)
        return cost.wall

    def output(self, name: str) -> Path:
        """Where the last output of a way lies."""
        return self._outputs / f"{name}.ms"

    def _restored(self, name: str, watch: Callable[[subprocess.Popen[bytes], Path], Watched]) -> Watched:
        with self._workspace.attempt(name.replace(" ", "-")) as attempt:
            files = CasaFiles(attempt, EB)
            self._lay_out(files, halves=name == HALVES)
            with files.printed.open("wb") as printed:
                process = subprocess.Popen(
                    [sys.executable, self.scripts[name], files.job],
                    cwd=attempt.working,
                    env=files.environment,
                    stdout=printed,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
                seen = watch(process, attempt.working)
            if process.returncode != 0:
                raise SystemExit(f"CASA ended badly: {files.printed.read_text(errors='replace')[-2000:]}")
            kept = self._outputs / f"{name}.ms"
            shutil.rmtree(kept, ignore_errors=True)
            files.output.rename(kept)
        return seen

    def _lay_out(self, files: CasaFiles, *, halves: bool) -> None:
        working, block = files.attempt.working, self._block
        (working / EB.file_form).symlink_to(block.asdm)
        shutil.copytree(block.flagversions, working / block.flagversions.name)
        for table in block.caltables:
            shutil.copytree(table, working / table.name)

        rows_of = rows_in(lambda name: (block.asdm / f"{name}.xml").read_bytes())
        calls = read_calapply(block.calapply.read_bytes(), eb_uid=EB)
        way = TasksWay(casa=ChosenCasa(), calls=calls, library=make_library(calls, read_observed(rows_of)))
        files.write(
            rows_by_field=read_promise(rows_of).rows_by_field,
            halves=cut(working / EB.file_form, ALL) if halves else None,
            more=way.job(files.attempt),
        )


def timed(process: subprocess.Popen[bytes], working: Path) -> Cost:
    """Wait for CASA and tell what it took since now."""
    begun = time.monotonic()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return Cost(wall=time.monotonic() - begun, cpu=usage.ru_utime + usage.ru_stime)


def looked_at(process: subprocess.Popen[bytes], working: Path) -> Space:
    """Look at CASA many times a second until it ends."""
    scratch = written = memory = 0
    while process.poll() is None:
        scratch = max(scratch, folder_size(working))
        written = max(written, _told(process.pid, "io", "wchar"))
        memory = max(memory, _told(process.pid, "status", "VmHWM") * 1024)
        time.sleep(_LOOK_SECONDS)
    return Space(memory=memory / 1e6, scratch=scratch / 1e6, written=written / 1e6)


def _told(pid: int, file: str, name: str) -> int:
    """Read a number that the kernel tells of a process: ``wchar`` counts what it handed to files.

    ``ru_maxrss`` will not do: it begins with the size of the parent.
    """
    try:
        lines = Path(f"/proc/{pid}/{file}").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{name}:")), 0)


def restores(size: BlockSize, rounds: int, folder: Path) -> list[Figure]:
    """Measure the ways on a block of one size."""
    spec = BlockSpec(eb_uid=EB, mous_uid=MousUid("uid://A001/X1284/X265f"), session=SessionName("session_1"), size=size)
    block = ensure_blocks([spec], cache=CACHE, workers=1)[0]
    ways = Ways(block, folder)
    print(f"{size}: ASDM of {folder_size(block.asdm) / 1e6:.0f} MB")
    spaces = {name: ways.look(name) for name in ways.scripts}
    walls = in_turn({name: partial(ways.run, name) for name in ways.scripts}, rounds)
    for name, costs in ways.costs.items():
        wall, cpu = median(cost.wall for cost in costs), median(cost.cpu for cost in costs)
        space = spaces[name]
        print(
            f"  {name}: wall {wall:.1f} s, CPU {cpu:.1f} s, memory {space.memory:.0f} MB, "
            f"scratch {space.scratch:.0f} MB, written {space.written:.0f} MB"
        )
    truth = ways.output("reference")
    unequal = [name for name in ways.scripts if differences(ways.output(name), truth)]
    unequal += ["reference against the original calibration"] if differences(truth, block.truth) else []
    scratch = {name: [space.scratch] for name, space in spaces.items()}
    figures = [Figure(f"{size} outputs that differ ({', '.join(unequal) or 'none'})", len(unequal), 0, at_most=True)]
    for name in ("single pass", HALVES):
        compared = (f"{ratio(walls[name], walls[other]):.2f} of {other}" for other in ("reference", PIPELINE))
        print(f"  {name} wall: {', '.join(compared)}")
    if size is BlockSize.LARGE:
        figures += [
            Figure(f"{size} {name} {what} / reference", ratio(values[name], values["reference"]), ask, at_most=True)
            for what, values, ask in (("wall", walls, 0.55), ("scratch", scratch, 0.6))
            for name in ("single pass", HALVES)
        ]
    return [*figures, *tar_and_upload(truth, rounds, folder)]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="+", type=BlockSize, default=[BlockSize.MEDIUM, BlockSize.LARGE])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--folder", type=Path, help="where to work, with 10 GB free; default: in memory, if it has them"
    )
    given = parser.parse_args(arguments)
    print(f"load {os.getloadavg()[0]:.2f}, in {given.folder or tempfile.gettempdir()}")
    figures: list[Figure] = []
    for size in given.sizes:
        with tempfile.TemporaryDirectory(prefix="bench-restore-", dir=given.folder) as folder:
            figures += restores(size, given.rounds, Path(folder))
    close(figures)


if __name__ == "__main__":
    main()

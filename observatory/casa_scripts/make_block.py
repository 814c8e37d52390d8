"""Make one execution block from nothing: ``python -m observatory.casa_scripts.make_block ORDER``, in a CASA process.

ORDER is a JSON file with the fields of :class:`Order`. The working directory ends up with the
ASDM, the caltables, the final flags, the calapply file, the truth and, written last,
``block.json``. Each stage is announced by a line on standard output.
"""

import json
import multiprocessing
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from casatasks import exportasdm
from casatools import msmetadata, version_string

from observatory.calibration import CalApply, calapply_text
from observatory.casa_scripts import asdm_tables, asdm_uids
from observatory.casa_scripts.calibrate import calibrate, flag_commands
from observatory.casa_scripts.layout import BLOCK_FACTS, BlockLayout, announce
from observatory.casa_scripts.lifeline import die_with_parent
from observatory.casa_scripts.plan import SUBSCAN_S, BlockSize, Intent, ObservingPlan, observing_plan
from observatory.casa_scripts.restoring import FINAL_FLAGS, import_block, split_corrected
from observatory.casa_scripts.simulate import simulate
from observatory.casa_scripts.sky import Instrument, random_source


@dataclass(frozen=True, kw_only=True)
class Order:
    """What to make; UIDs are canonical (``uid://A002/Xc7111c/X3979``)."""

    eb_uid: str
    mous_uid: str
    size: BlockSize
    seed: int


def make_block(order: Order) -> None:
    """Simulate, export, re-import and calibrate, all below the working directory."""
    layout = BlockLayout(root=Path(), eb_uid=order.eb_uid)
    plan = observing_plan(order.size)
    _in_child(_observe, order, plan, layout)
    announce("importing")
    ms = Path(layout.ms_name)
    import_block(layout.asdm, ms)
    announce("calibrating")
    lines = calibrate(ms, plan)
    announce("splitting")
    split_corrected(ms, layout.truth)
    announce("tidying")
    layout.calapply.write_text(calapply_text(ms.name, lines))
    _keep_final_flags(layout.flagversions)
    _keep_applied_tables(layout, lines)
    shutil.rmtree(ms)
    _write_facts(order, plan, layout)


def _in_child(step: Callable[..., None], *arguments: object) -> None:
    """Run a step in a fork of this process.

    CASA keeps what it last computed of nutation and precession, so that UVW would come out
    different by 1e-9 after a simulation from what a restore gets in a process of its own.
    """
    child = multiprocessing.get_context("fork").Process(target=step, args=arguments)
    child.start()
    child.join()
    if child.exitcode != 0:
        sys.exit(f"{step.__name__} ended with code {child.exitcode}")


def _observe(order: Order, plan: ObservingPlan, layout: BlockLayout) -> None:
    die_with_parent()
    announce("simulating")
    random = random_source(order.eb_uid, order.seed)
    instrument = Instrument.draw(plan, random)
    simulated = Path("simulated.ms")
    simulate(simulated, plan, instrument, random)
    announce("exporting")
    archive_id, range_id = asdm_uids.uid_prefix(order.eb_uid).removeprefix("uid://").strip("/").split("/")
    exportasdm(
        vis=str(simulated),
        asdm=str(layout.asdm),
        datacolumn="data",
        archiveid=archive_id,
        rangeid=range_id,
        subscanduration=f"{SUBSCAN_S}s",
        sbduration="24h",
        verbose=False,
    )
    shutil.rmtree(simulated)
    asdm_uids.shift_uids(layout.asdm, order.eb_uid)
    asdm_tables.rewrite_tables(layout.asdm, plan, order.mous_uid, instrument.tsys_k)


def _keep_final_flags(flagversions: Path) -> None:
    """Leave the one version that the pipeline exports, listed as it lists it."""
    final = f"flags.{FINAL_FLAGS}"
    for version in flagversions.glob("flags.*"):
        if version.name != final:
            shutil.rmtree(version)
    (flagversions / "FLAG_VERSION_LIST").write_text(f"{FINAL_FLAGS} : Final pipeline flags\n")


def _keep_applied_tables(layout: BlockLayout, lines: list[CalApply]) -> None:
    layout.caltables.mkdir()
    for name in {table.name for line in lines for table in line.tables}:
        Path(name).rename(layout.caltables / name)
    for unused in Path().glob(f"{layout.ms_name}.*.tbl"):
        shutil.rmtree(unused)


def _write_facts(order: Order, plan: ObservingPlan, layout: BlockLayout) -> None:
    facts = {
        **asdict(order),
        "casa_version": version_string(),
        "fields": [field.name for field in plan.fields],
        "calibrators": [field.name for field in plan.fields if field.intent is not Intent.TARGET],
        "rows": _rows(layout.truth),
        "antennas": list(plan.antenna_names),
        "fluxes": [[field.name, spw, field.flux_jy] for field in plan.fields for spw in range(plan.spw_count)],
        "flag_commands": flag_commands(plan),
    }
    (layout.root / BLOCK_FACTS).write_text(json.dumps(facts, indent=2))


def _rows(ms: Path) -> int:
    metadata = msmetadata()
    metadata.open(str(ms))
    try:
        return int(metadata.nrows())
    finally:
        metadata.close()


def read_order(path: Path) -> Order:
    """Read an order from its JSON file."""
    fields = json.loads(path.read_text())
    return Order(**{**fields, "size": BlockSize(fields["size"])})


if __name__ == "__main__":
    die_with_parent()
    make_block(read_order(Path(sys.argv[1])))

"""Restore one execution block the observatory's way: ``python -m observatory.casa_scripts.reference_restore ORDER``.

The judge of every other way: it reads the ASDM and the packed products alone, in a clean
working directory, and leaves the full MeasurementSet and the split product there.
"""

import json
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

from casatasks import flagmanager

from contracts.identifiers import ExecBlockUid
from observatory.casa_scripts.layout import BlockLayout, announce
from observatory.casa_scripts.lifeline import die_with_parent
from observatory.casa_scripts.restoring import FINAL_FLAGS, apply_line, import_block, split_corrected
from shared.pipeline_files import ApplyCall, read_calapply
from shared.tars import extract


@dataclass(frozen=True, kw_only=True)
class RestoreOrder:
    """What to restore, and where its ASDM and its products lie (absolute paths)."""

    eb_uid: str
    asdm: Path
    caltables: Path
    flagversions: Path
    calapply: Path


def restore(order: RestoreOrder) -> None:
    """Import, restore the final flags, apply the calibration and split, in the working directory."""
    layout = BlockLayout(root=Path(), eb_uid=order.eb_uid)
    ms = Path(layout.ms_name)
    announce("importing")
    import_block(order.asdm, ms)
    for archive in (order.flagversions, order.caltables):
        _unpack(archive, layout.ms_name)
    announce("calibrating")
    flagmanager(vis=str(ms), mode="restore", versionname=FINAL_FLAGS)
    for call in read_calapply(order.calapply.read_bytes(), eb_uid=ExecBlockUid(order.eb_uid)):
        apply_line(_arguments(call))
    announce("splitting")
    split_corrected(ms, layout.truth)


def _arguments(call: ApplyCall) -> dict[str, object]:
    scalars = {"vis": call.vis, "field": call.field, "intent": call.intent, "spw": call.spw, "antenna": call.antenna}
    per_table = {
        "gaintable": list(call.gaintable),
        "gainfield": list(call.gainfield),
        "spwmap": [list(spws) for spws in call.spwmap],
        "interp": list(call.interp),
        "calwt": list(call.calwt),
    }
    return {**scalars, **per_table}


def _unpack(archive: Path, ms_name: str) -> None:
    """Unpack what belongs to this MeasurementSet; a session's caltables come in one archive."""
    with tarfile.open(archive) as tar:
        extract(tar, members=[member for member in tar if member.name.startswith(ms_name)])


def read_order(path: Path) -> RestoreOrder:
    """Read an order from its JSON file."""
    fields = json.loads(path.read_text())
    eb_uid: str = fields.pop("eb_uid")
    return RestoreOrder(eb_uid=eb_uid, **{name: Path(path) for name, path in fields.items()})


if __name__ == "__main__":
    die_with_parent()
    restore(read_order(Path(sys.argv[1])))

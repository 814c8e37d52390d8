"""Real CASA restores real execution blocks to the bit."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from casacore.tables import table

from contracts.messages.parts import RestoredBlock, Selection
from observatory.blocks import MadeBlock
from observatory.products import MousProducts
from services.casa_runner.job import CasaFiles
from services.casa_runner.workspace import Workspace
from tests.support.casa_fixtures import block, products, site
from tests.support.casa_site import EB, Site

__all__ = ["block", "products", "site"]

CALIBRATORS = ("J0321+1234", "J0510+1800")
COMPARED = (
    *("DATA", "FLAG", "WEIGHT", "SIGMA", "FLAG_ROW", "UVW", "TIME", "INTERVAL", "EXPOSURE"),
    *("ANTENNA1", "ANTENNA2", "DATA_DESC_ID", "SCAN_NUMBER", "STATE_ID"),
)


@pytest.fixture(scope="module")
def delivered(
    tmp_path_factory: pytest.TempPathFactory, block: MadeBlock, products: MousProducts
) -> tuple[RestoredBlock, Path]:
    """The whole block, restored and unpacked."""
    site = Site(tmp_path_factory.mktemp("site"), block, products)
    restored = site.restored(site.order())
    return restored, site.unpacked(restored)


def rows_of(ms: Path, fields: Sequence[str] | None = None) -> dict[str, np.ndarray]:
    """Read the compared columns, and names instead of numbers of fields."""
    with table(f"{ms}/FIELD", ack=False) as subtable:
        names = np.array(subtable.getcol("NAME"))
    with table(str(ms), ack=False) as opened:
        columns = {name: opened.getcol(name) for name in COMPARED}
        columns["FIELD"] = names[opened.getcol("FIELD_ID")]
    chosen = np.isin(columns["FIELD"], fields if fields is not None else names)
    return {name: values[chosen] for name, values in columns.items()}


def test_the_delivered_data_equal_the_original_calibration_to_the_bit(
    delivered: tuple[RestoredBlock, Path], block: MadeBlock
) -> None:
    restored, ms = delivered
    found, truth = rows_of(ms), rows_of(block.truth)
    assert restored.rows == len(truth["TIME"]) == block.facts.rows
    assert restored.fields == block.facts.fields
    assert (restored.method, restored.method_reason) == ("single pass", None)
    for name, values in truth.items():
        assert np.array_equal(found[name], values), name


def test_the_raw_data_differ_from_the_truth(block: MadeBlock, site: Site) -> None:
    script = site.folder / "raw.py"
    script.write_text(
        "import json, sys\nfrom casatasks import importasdm, split\njob = json.load(open(sys.argv[1]))\n"
        "importasdm(asdm=job['asdm'], vis='raw.ms', bdfflags=True)\n"
        "split(vis='raw.ms', outputvis=job['output'], datacolumn='data', keepflags=True)\n"
    )
    with Workspace(scratch=site.settings.scratch, failed_quota=0).attempt("raw") as attempt:
        files = CasaFiles(attempt, EB)
        files.write()
        (attempt.working / EB.file_form).symlink_to(block.asdm)
        assert site.launcher.start(script, files).wait(120) == 0
        raw, truth = rows_of(files.output), rows_of(block.truth)
    assert np.array_equal(raw["UVW"], truth["UVW"])
    for name in ("DATA", "FLAG", "WEIGHT"):
        assert not np.array_equal(raw[name], truth[name]), name


def test_calibrators_alone_are_delivered_as_they_are_in_the_truth(site: Site) -> None:
    event = site.order(*CALIBRATORS)
    restored = site.restored(event)
    assert sorted(restored.fields) == sorted(CALIBRATORS)
    found, truth = rows_of(site.unpacked(restored)), rows_of(site.block.truth, CALIBRATORS)
    assert restored.rows == len(truth["TIME"])
    for name, values in truth.items():
        # States are numbered anew when some are left out.
        assert name == "STATE_ID" or np.array_equal(found[name], values), name
    assert site.restored(site.order(*CALIBRATORS)).reused
    assert len(site.launcher.started) == 1


def test_no_byte_of_a_calibrators_delivery_names_the_target_or_where_it_is(site: Site) -> None:
    restored = site.restored(site.order(*CALIBRATORS))
    ms = site.unpacked(restored)
    assert b"HLX" in b"".join(path.read_bytes() for path in site.block.truth.rglob("*") if path.is_file())
    assert [str(path) for path in ms.rglob("*") if path.is_file() and b"HLX" in path.read_bytes()] == []
    with table(f"{ms}/POINTING", ack=False) as pointing, table(str(ms), ack=False) as opened:
        times, scans = opened.getcol("TIME"), opened.getcol("SCAN_NUMBER")
        spans = [(times[scans == scan].min() - 10, times[scans == scan].max() + 10) for scan in np.unique(scans)]
        looked = pointing.getcol("TIME")
        assert len(looked) > 0
        assert all(any(start <= time <= end for start, end in spans) for time in looked)


def test_the_reference_way_can_be_chosen_and_gives_the_same_science(site: Site) -> None:
    selection = Selection(science_only=True, spw=(1,), chanbin=4, timebin=30.0)
    fast = site.unpacked(site.restored(site.order(selection=selection)))
    wanted = rows_of(fast.rename(site.folder / "fast.ms"))
    site.settings = site.settings.model_copy(update={"way": "reference"})
    slow = site.restored(site.order(selection=selection, restore_key="0" * 32))
    assert (slow.method, slow.method_reason) == ("reference", "chosen_by_settings")
    found = rows_of(site.unpacked(slow))
    assert wanted["DATA"].shape[1:] == (8, 2)
    assert set(wanted["FIELD"]) == {"HLX_Target"}
    for name, values in found.items():
        assert np.array_equal(wanted[name], values), name

"""Real CASA on a scratch disk that lacks room: the block is put off with its log, and restored once there is room."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from casacore.tables import table as table_of

from contracts.envelope import Event
from tests.support.casa_fixtures import block, products, site
from tests.support.casa_site import Site, repacked
from tests.support.docker_engine import as_root

__all__ = ["block", "products", "site"]

MOUNT = 'mount -t tmpfs -o size="$0"m tmpfs "$1" && shift && exec "$@"'
FOR_INPUTS = 14
"""Megabytes: enough for the inputs and a part of what CASA writes."""

FOR_SINGLE_PASS = 30
"""Megabytes: enough to begin a single pass, and too little for the reference way."""


def told(site: Site, event: Event, megabytes: int, **settings: object) -> dict[str, Any]:
    """Run the service on a disk of that size; give what its words tell, and the steps until it waited."""
    disk = site.folder / "disk"
    disk.mkdir()
    (site.folder / "event.json").write_bytes(event.encode())
    alone = [*as_root(), "unshare", "--mount", "sh", "-c", MOUNT, str(megabytes), str(disk)]
    command = [sys.executable, "-m", "tests.support.full_scratch", str(site.folder), json.dumps(settings)]
    done = subprocess.run(
        [*alone, *command], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    words = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    waits = next(place for place, word in enumerate(words) if "waits" in word)
    return {"steps": [word["step"] for word in words[:waits] if "step" in word]} | {
        name: value for word in words for name, value in word.items() if name != "step"
    }


def test_a_disk_that_becomes_full_while_casa_writes_puts_the_block_off_until_there_is_room(site: Site) -> None:
    found = told(site, site.order(), FOR_INPUTS, disk_factor=0)
    assert "the scratch disk became full in step mstransform" in found["waits"]
    assert found["outcomes"] == []
    [log] = [info.key for info in site.objects.list("logs/") if info.key.endswith("put-off.log")]
    assert f"CASA's log: {log}" in found["waits"]
    assert b"mstransform" in site.objects.get(log)
    assert found["restore.completed"]["block"]["method"] == "single pass"
    assert found["restore.completed"]["block"]["rows"] == site.block.facts.rows
    assert found["left"] == []


def test_a_single_pass_that_turns_to_the_reference_way_waits_for_the_room_that_this_needs(site: Site) -> None:
    def take_solutions(folder: Path) -> None:
        (path,) = (folder / table.name for table in site.block.caltables if table.name.endswith("bcal.tbl"))
        with table_of(str(path), readonly=False, ack=False) as opened:
            spws = opened.getcol("SPECTRAL_WINDOW_ID").tolist()
            opened.removerows([row for row, spw in enumerate(spws) if spw == 1])

    found = told(site, site.order(products=repacked(site, take_solutions)), FOR_SINGLE_PASS)
    assert "are needed for the reference way (solutions_incomplete: " in found["waits"]
    assert found["outcomes"] == []
    assert "importasdm" not in found["steps"]
    assert found["restore.completed"]["block"]["method"] == "reference"
    assert found["left"] == []

"""Real CASA on a scratch disk that becomes full: the block is put off, its log is kept, and the disk is as before."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.casa_fixtures import block, products, site
from tests.support.casa_site import Site
from tests.support.docker_engine import as_root

__all__ = ["block", "products", "site"]
pytestmark = pytest.mark.acceptance

MEGABYTES = 14
"""Enough for the inputs and a part of what CASA writes."""

RUNNER = """
import pathlib, sys
from contracts.envelope import Event
from services.casa_runner.errors import ScratchFullError
from services.casa_runner.service import build
from services.casa_runner.settings import CasaRunnerSettings
from shared.objects.directory import DirectoryStore
from tests.support.delivery import RecordingDelivery

folder = pathlib.Path(sys.argv[1])
settings = CasaRunnerSettings(
    scratch=folder / "disk", progress_interval=0, disk_factor=0, disk_reserve=1_000_000, way=sys.argv[2]
)
runner = build(objects=DirectoryStore(folder / "store"), settings=settings)
delivery = RecordingDelivery()
try:
    print(runner.handle(Event.decode((folder / "event.json").read_bytes()), delivery))
except ScratchFullError as error:
    print(type(error).code, error.transient, error)
print("steps", *(getattr(event.data, "step", "-") for event in delivery.published))
print("left", *(path.name for path in (folder / "disk" / "attempts").iterdir()))
"""
MOUNT = 'mount -t tmpfs -o size="$0"m tmpfs "$1" && shift && exec "$@"'


def test_a_disk_that_becomes_full_while_casa_writes_puts_the_block_off_with_its_log(site: Site) -> None:
    disk = site.folder / "disk"
    disk.mkdir()
    (site.folder / "event.json").write_bytes(site.order().encode())
    command = [sys.executable, "-c", RUNNER, str(site.folder), "reference"]
    alone = [*as_root(), "unshare", "--mount", "sh", "-c", MOUNT, str(MEGABYTES), str(disk)]
    done = subprocess.run(
        [*alone, *command], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False
    )
    told = done.stdout.splitlines()
    assert any(line.startswith("scratch_full True") for line in told), done.stdout + done.stderr
    assert "importasdm" in next(line for line in told if line.startswith("steps"))
    assert told[-1] == "left"
    [log] = site.objects.list("logs/")
    assert f"CASA's log: {log.key}" in done.stdout
    assert b"importasdm" in site.objects.get(log.key)
    assert list(site.objects.list("products/")) == []
    assert list(site.objects.list("requests/")) == []

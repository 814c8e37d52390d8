"""A single pass in two processes: what comes out is what one makes, to the bit, and each ends with the other."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contracts.messages import Message, RestoreProgressed
from contracts.messages.parts import RestoredBlock, Selection
from contracts.reasons import ReasonCode
from observatory.casa_process import casa_environment
from services.casa_runner import casa
from services.casa_runner.job import CasaFiles
from tests.support import casa_appending
from tests.support.casa_fixtures import block, products, site
from tests.support.casa_site import EB, Site
from tests.support.measurement_sets import differences, names_of, rows_of, unlike_tables
from tests.support.standing_still import children_of

__all__ = ["block", "products", "site"]
CALIBRATORS = ("J0321+1234", "J0510+1800")


@pytest.fixture
def jobs(site: Site) -> list[dict[str, Any]]:
    """Let the site cut every block in two; the jobs that its CASAs were given."""
    found: list[dict[str, Any]] = []

    def read(files: CasaFiles) -> None:
        found.append(json.loads(files.job.read_text()))

    cut_all(site)
    site.launcher.spoil = read
    return found


def cut_all(site: Site) -> None:
    """Have every block cut, however busy the machine is."""
    site.settings = site.settings.model_copy(update={"halves_from": 0})
    site.launcher.idle_cores = 2


@pytest.mark.parametrize(
    "selection",
    [None, Selection(calibrator_fields=CALIBRATORS), Selection(science_only=True, chanbin=4), Selection(spw=(1,))],
    ids=["all", "calibrators", "averaged science", "one window"],
)
def test_two_processes_make_what_one_makes(site: Site, jobs: list[dict[str, Any]], selection: Selection | None) -> None:
    made = restored_whole_and_in_halves(site, jobs, site.block.asdm, selection)
    assert made.method_reason is None


def test_a_state_that_only_the_later_half_has_gets_the_number_that_the_whole_gives(
    site: Site, jobs: list[dict[str, Any]]
) -> None:
    asdm = site.folder / EB.file_form
    shutil.copytree(site.block.asdm, asdm)
    scans = asdm / "Scan.xml"
    scans.write_text(with_other_intent(scans.read_text()))

    restored_whole_and_in_halves(site, jobs, asdm, None)

    modes = names_of(site.folder / "two.ms", "STATE", "OBS_MODE")
    assert ["CALIBRATE_DELAY" in mode for mode in modes] == [False] * (len(modes) - 1) + [True]


def test_what_the_halves_have_in_common_is_compared_and_one_process_does_it_if_it_is_not_the_same(site: Site) -> None:
    def spoil(files: CasaFiles) -> None:
        job = json.loads(files.job.read_text())
        job["halves"]["epoch"] -= 86_400
        files.job.write_text(json.dumps(job))

    cut_all(site)
    site.launcher.spoil = spoil
    restored = site.restored(site.order())
    assert (restored.method, restored.method_reason) == ("single pass", "halves_differ: UVW")
    assert differences(site.unpacked(restored), site.block.truth) == []


@pytest.mark.parametrize("half", ["earlier", "later"])
def test_rows_that_one_half_lacks_are_missed(site: Site, jobs: list[dict[str, Any]], half: str) -> None:
    asdm = site.folder / EB.file_form
    shutil.copytree(site.block.asdm, asdm)
    uids = re.findall(r'<EntityRef entityId="([^"]+)" entityTypeName="ASDM"', (asdm / "Main.xml").read_text())
    binary = asdm / "ASDMBinary" / re.sub("[:/]", "_", uids[0 if half == "earlier" else -1])
    binary.write_bytes(binary.read_bytes()[: binary.stat().st_size // 2])
    failure = site.failed(site.order(asdm=asdm))
    assert jobs[0]["halves"]
    assert failure.reason is ReasonCode.OUTPUT_INCOMPLETE
    assert "lacks rows that the ASDM's Main table promises" in failure.detail


@pytest.mark.parametrize("which", ["first", "other"])
def test_a_half_that_is_killed_ends_the_other(site: Site, jobs: list[dict[str, Any]], which: str) -> None:
    pids: list[int] = []

    def kill(message: Message) -> None:
        if isinstance(message, RestoreProgressed) and message.step in ("importasdm", "mstransform") and not pids:
            first = site.launcher.started[-1].pid
            other = wait_for(lambda: children_of(first))[0]
            pids.extend([first, other])
            os.kill(first if which == "first" else other, signal.SIGKILL)

    failure = site.failed(site.order(), kill)
    assert jobs[0]["halves"]
    assert failure.reason is ReasonCode.CASA_CRASHED
    assert "SIGKILL" in failure.detail
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_visibilities_give_their_room_back_as_they_are_appended(site: Site) -> None:
    folders = map(str, (Path(casa.__file__).parent, site.block.truth, site.folder))
    command = [sys.executable, casa_appending.__file__, *folders]
    printed = subprocess.run(
        command, env=casa_environment(site.folder), capture_output=True, text=True, check=True
    ).stdout
    told = json.loads(printed.splitlines()[-1])
    assert told == sorted(told, reverse=True)
    assert told[-1] < told[0] / 2
    assert unlike_tables(site.folder / "first.ms", site.block.truth) == []


def restored_whole_and_in_halves(
    site: Site, jobs: list[dict[str, Any]], asdm: Path, selection: Selection | None
) -> RestoredBlock:
    """Restore by two processes and by one, compare all tables, and give what two made."""
    in_halves = site.restored(site.order(asdm=asdm, selection=selection))
    two = site.unpacked(in_halves).rename(site.folder / "two.ms")
    site.settings = site.settings.model_copy(update={"halves_from": 10**12})
    whole = site.restored(site.order(asdm=asdm, selection=selection, restore_key="0" * 32))
    assert [bool(job["halves"]) for job in jobs] == [True, False]
    assert unlike_tables(two, site.unpacked(whole)) == []
    assert in_halves.rows == whole.rows == len(rows_of(two)["TIME"])
    return in_halves


def with_other_intent(scans: str) -> str:
    """Give the last scan one more intent."""
    *others, last = re.split(r"(?=<row>)", scans)
    last = last.replace("<numIntent> 1 ", "<numIntent> 2 ")
    for name, more in (
        ("scanIntent", "CALIBRATE_DELAY"),
        ("calDataType", "FULL_RESOLUTION_CROSS"),
        ("calibrationOnLine", "false"),
    ):
        last, times = re.subn(rf"(<{name}> 1) 1 (\S*[^\s<])\s*(?=</{name}>)", rf"\1 2 \2 {more} ", last)
        assert times == 1
    return "".join([*others, last])


def wait_for(look: Callable[[], list[int]]) -> list[int]:
    """Look again and again until something is found."""
    until = time.monotonic() + 10
    while not (found := look()):
        assert time.monotonic() < until
        time.sleep(0.01)
    return found

"""What is put off is tried again later, and keeps CASA's log meanwhile.

A stand-in script takes CASA's place, in a process of its own as CASA would be.
"""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from contracts.messages.parts import ObjectRef
from services.casa_runner.casa.single_pass import NoRoomError, require_room
from services.casa_runner.errors import CasaAwayError, ScratchFullError
from services.casa_runner.launcher import CasaLostError
from services.casa_runner.launchers.process import CasaProcess
from shared.errors import DependencyAwayError
from shared.objects.directory import DirectoryStore
from tests.support.casa_bench import LARGE, Bench, failed, restored
from tests.support.casa_standin import EB
from tests.support.delivery import RecordingDelivery


def test_too_little_scratch_is_tried_later(bench: Bench) -> None:
    with pytest.raises(ScratchFullError):
        bench.runner(disk_reserve=2**62).handle(bench.order(), RecordingDelivery())
    assert bench.launcher.started == []
    assert not list(bench.objects.list("requests/"))


@pytest.mark.parametrize(
    ("settings", "begins"),
    [
        ({}, True),
        ({"way": "reference"}, False),
        ({"way": "reference", "disk_factor": 4.5}, True),
        ({"disk_factor": 5}, False),
    ],
)
def test_scratch_has_to_have_what_the_way_needs_or_what_the_settings_say(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], begins: bool
) -> None:
    event, runner = bench.order(), bench.runner(disk_reserve=0, **settings)
    size = sum(path.stat().st_size for path in (bench.folder / EB.file_form).iterdir())
    usage = shutil.disk_usage(bench.folder)._replace(free=int(4.6 * size))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    if begins:
        assert restored(runner.handle(event, RecordingDelivery()))
    else:
        with pytest.raises(ScratchFullError, match="are needed"):
            runner.handle(event, RecordingDelivery())


def test_casa_is_told_which_room_the_reference_way_needs_beside_the_asdm_that_is_there(bench: Bench) -> None:
    failure = failed(bench.runner("sys.exit(1)\n", disk_reserve=1000).handle(bench.order(), RecordingDelivery()))
    job = json.loads((Path(str(failure.working_directory).partition(":")[2]) / "logs" / "job.json").read_text())
    size = sum(path.stat().st_size for path in (bench.folder / EB.file_form).iterdir())
    assert job["reference_room"] == 1000 + int(5.5 * size) - size


def test_a_single_pass_without_room_for_the_reference_way_that_it_turns_to_is_put_off(bench: Bench) -> None:
    behaviour = """
result = {"step": "caltables", "error": "NoRoomError: 5 bytes are free, and 9 are needed for the reference way"}
pathlib.Path(job["result"]).write_text(json.dumps(result))
sys.exit(1)
"""
    with pytest.raises(ScratchFullError, match="too little room: 5 bytes are free, and 9 are needed"):
        bench.runner(behaviour).handle(bench.order(), RecordingDelivery())
    assert bench.left == []


@pytest.mark.parametrize("free", [9, 8])
def test_room_for_the_reference_way_is_looked_for_before_it_begins(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    if free == 9:
        require_room({"reference_room": 9}, rule="all_flagged: x")
    else:
        with pytest.raises(NoRoomError, match=r"8 bytes .* 9 are needed .*\(all_flagged: x\)"):
            require_room({"reference_room": 9}, rule="all_flagged: x")


def lost(self: CasaProcess, timeout: float) -> int | None:
    """Wait as a launcher does whose node fails at once when the script does."""
    if waited(self, timeout) is not None:
        raise CasaLostError("the node failed")
    return None


waited = CasaProcess.wait
TOLD = "print('what CASA said', flush=True)\n"
AT_LOADING = "pathlib.Path(job['result']).write_text(json.dumps({'step': 'loading CASA', 'error': 'ImportError: x'}))\n"


@pytest.mark.parametrize(
    ("behaviour", "error", "wait"),
    [
        (TOLD + "sys.exit('No space left on device')\n", ScratchFullError, waited),
        (TOLD + AT_LOADING + "sys.exit(1)\n", CasaAwayError, waited),
        (TOLD + "sys.exit(1)\n", CasaLostError, lost),
    ],
)
def test_a_restore_that_is_put_off_keeps_the_log_of_its_last_try_and_names_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, behaviour: str, error: type[DependencyAwayError], wait: object
) -> None:
    monkeypatch.setattr(CasaProcess, "wait", wait)
    event = bench.order()
    for attempt in (1, 2):
        runner = bench.runner(f"print('try {attempt}')\n{behaviour}")
        with pytest.raises(error) as raised:
            runner.handle(event, RecordingDelivery(attempt=attempt))
    [log] = bench.objects.list("logs/")
    assert str(raised.value).endswith(f"; CASA's log: {log.key}")
    assert b"try 2\nwhat CASA said" in bench.objects.get(log.key)
    assert bench.left == []


def test_the_log_of_the_first_try_that_lacked_memory_is_kept_too(bench: Bench) -> None:
    runner = bench.runner(f"print('large' if {LARGE} else 'small', flush=True)\nraise MemoryError()\n")
    bench.launcher.memory = 2**30
    failure = failed(runner.handle(bench.order(), RecordingDelivery()))
    logs = {info.key: bench.objects.get(info.key) for info in bench.objects.list("logs/")}
    assert sorted(b"small" in text.split() for text in logs.values()) == [False, True]
    assert failure.log is not None
    assert b"large" in logs[failure.log.key].split()


def test_a_store_that_does_not_take_the_log_does_not_hide_why_a_restore_is_put_off(tmp_path: Path) -> None:
    class Full(DirectoryStore):
        """Takes no logs."""

        def put(self, key: str, chunks: object, **options: object) -> ObjectRef:
            if key.startswith("logs/"):
                raise DependencyAwayError("the store is away")
            return super().put(key, chunks, **options)  # type: ignore[arg-type]  # passed on as they came

    bench = Bench(tmp_path, Full(tmp_path / "store"))
    with pytest.raises(ScratchFullError, match="make room"):
        bench.runner("sys.exit('No space left on device')\n").handle(bench.order(), RecordingDelivery())

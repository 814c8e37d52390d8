"""Whatever goes wrong has its reason, and nothing is left half done.

A stand-in script takes CASA's place, in a process of its own as CASA would be.
"""

import json
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from contracts.messages.parts import CalibrationKind, ObjectRef
from contracts.reasons import ReasonCode
from services.casa_runner.errors import CasaAwayError, RestoreInterruptedError
from services.casa_runner.service import build
from services.casa_runner.settings import CasaRunnerSettings
from shared.errors import DependencyAwayError
from shared.objects.directory import DirectoryStore
from shared.pipeline_files.ppr import Kind
from tests.support.casa_bench import HANG, LARGE, Bench, failed, restored
from tests.support.casa_standin import EB, write_tgz
from tests.support.delivery import RecordingDelivery


def test_a_failure_keeps_the_log_and_the_working_directory(bench: Bench) -> None:
    failure = failed(bench.runner("sys.exit('the sky fell')\n").handle(bench.order(), RecordingDelivery()))
    assert failure.reason is ReasonCode.CASA_FAILED
    assert "the sky fell" in failure.detail
    assert failure.log is not None
    assert b"the sky fell" in bench.objects.read(failure.log)
    host, _, place = str(failure.working_directory).partition(":")
    assert host == socket.gethostname()
    assert json.loads((Path(place) / "logs" / "job.json").read_text())["vis"] == f"{EB.file_form}.ms"
    assert bench.left == []
    assert not list(bench.objects.list("products/"))


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)\n", ReasonCode.CASA_CRASHED),
        ("os._exit(0)\n", ReasonCode.CASA_FAILED),
        ("job['rows_by_field'] = dict.fromkeys(job['rows_by_field'], 1)\n", ReasonCode.OUTPUT_INCOMPLETE),
        (
            "import atexit; atexit.register(lambda: os.unlink(job['output'] + '/FIELD/table.lock'))\n",
            ReasonCode.OUTPUT_INCOMPLETE,
        ),
    ],
)
def test_every_end_but_a_proven_success_fails_the_block(bench: Bench, behaviour: str, reason: ReasonCode) -> None:
    assert failed(bench.runner(behaviour).handle(bench.order(), RecordingDelivery())).reason is reason


def test_a_failure_is_told_again_for_its_request_and_tried_anew_for_another(bench: Bench) -> None:
    event = bench.order()
    first = bench.runner("sys.exit(1)\n").handle(event, RecordingDelivery())
    runner = bench.runner()
    assert failed(runner.handle(event, RecordingDelivery())) == failed(first)
    assert restored(runner.handle(bench.order(), RecordingDelivery()))


@pytest.mark.parametrize(
    ("changes", "reason", "told"),
    [
        ({"fields": ("J0321+1234",)}, ReasonCode.FIELD_NOT_FOUND, "J0510+1800, HLX_Target"),
        ({"ppr": b"SESSION_1=uid"}, ReasonCode.PPR_INVALID, "not well-formed"),
        ({"kind": Kind.CAL}, ReasonCode.PPR_INVALID, "hifa_flagdata"),
        ({"kind": Kind.IMPORT}, ReasonCode.PPR_INVALID, "by the pipeline"),
        ({"kind": Kind.SD_RESTORE}, ReasonCode.PIPELINE_NEEDED, "single_dish"),
        ({"kind": Kind.IMPORT, "calibration": CalibrationKind.MANUAL}, ReasonCode.CASA_VERSION_UNAVAILABLE, "6.7.0.31"),
        ({"casa_version": "3.4.0"}, ReasonCode.CASA_VERSION_UNAVAILABLE, "3.4.0"),
        ({"products": ()}, ReasonCode.MANIFEST_UNREADABLE, "manifest"),
    ],
)
def test_what_can_be_known_before_fails_before_casa_starts(
    bench: Bench, changes: dict[str, object], reason: ReasonCode, told: str
) -> None:
    failure = failed(bench.runner().handle(bench.order(**changes), RecordingDelivery()))
    assert failure.reason is reason
    assert told in failure.detail
    assert bench.launcher.started == []


def test_a_missing_caltable_fails_before_casa_starts(bench: Bench) -> None:
    bench.order()
    archive = next((bench.folder / "products").glob("*.caltables.tgz"))
    write_tgz(archive, "another.ms.bcal.tbl/table.dat")
    failure = failed(bench.runner().handle(bench.order(), RecordingDelivery()))
    assert failure.reason is ReasonCode.CALTABLE_DAMAGED
    assert "x.ms.bcal.tbl" in failure.detail
    assert bench.launcher.started == []


def test_too_long_a_restore_is_ended(bench: Bench) -> None:
    runner = bench.runner(HANG, time_limit=0.3)
    failure = failed(runner.handle(bench.order(), RecordingDelivery()))
    assert failure.reason is ReasonCode.CASA_HUNG
    assert bench.launcher.started[0].wait(0) == -signal.SIGKILL


def test_both_tries_of_a_restore_that_lacks_memory_have_one_time_limit(bench: Bench) -> None:
    runner = bench.runner(f"if {LARGE}:\n    {HANG}time.sleep(1)\nraise MemoryError()\n", time_limit=5)
    bench.launcher.memory = 2**30
    failure = failed(runner.handle(bench.order(), RecordingDelivery()))
    assert failure.reason is ReasonCode.CASA_HUNG
    [seconds] = re.findall(r"in the (\d+) seconds that were left", failure.detail)
    assert int(seconds) <= 4
    assert [casa.wait(0) for casa in bench.launcher.started[1:]] == [-signal.SIGKILL]


def test_a_silent_casa_is_ended_and_its_log_kept(bench: Bench) -> None:
    failure = failed(bench.runner(HANG, hang_limit=0.4).handle(bench.order(), RecordingDelivery()))
    assert failure.reason is ReasonCode.CASA_HUNG
    assert "in step importasdm" in failure.detail
    assert failure.log is not None
    assert bench.launcher.started[0].wait(0) == -signal.SIGKILL


def test_a_casa_that_writes_is_not_silent(bench: Bench) -> None:
    behaviour = "for number in range(12):\n    print(number, flush=True)\n    time.sleep(0.1)\n"
    assert restored(bench.runner(behaviour, hang_limit=0.8).handle(bench.order(), RecordingDelivery()))


def test_want_of_memory_is_tried_once_more_with_a_larger_limit(bench: Bench) -> None:
    runner = bench.runner("if not needs.memory: raise MemoryError()\n".replace("needs.memory", LARGE))
    bench.launcher.memory = 2**30
    assert restored(runner.handle(bench.order(), RecordingDelivery()))
    assert [needs.memory for needs in bench.launcher.needs] == [None, 2**31]


def test_want_of_memory_twice_is_a_failure_of_its_own(bench: Bench) -> None:
    runner = bench.runner("raise MemoryError()\n")
    bench.launcher.memory = 2**30
    failure = failed(runner.handle(bench.order(), RecordingDelivery()))
    assert failure.reason is ReasonCode.CASA_OUT_OF_MEMORY
    assert str(2**31) in failure.detail
    assert failure.log is not None
    assert len(bench.launcher.started) == 2


def test_want_of_memory_is_told_at_once_where_no_limit_can_be_raised(bench: Bench) -> None:
    failure = failed(bench.runner("raise MemoryError()\n").handle(bench.order(), RecordingDelivery()))
    assert failure.reason is ReasonCode.CASA_OUT_OF_MEMORY
    assert failure.log is not None
    assert b"MemoryError" in bench.objects.read(failure.log)
    assert len(bench.launcher.started) == 1


def test_a_lost_delivery_ends_casa_and_nothing_more_is_said(bench: Bench) -> None:
    class Losing(RecordingDelivery):
        """The broker takes the order back at the first step of CASA."""

        def publish(self, events: object) -> None:
            super().publish(events)  # type: ignore[arg-type]  # passed on as it came
            if getattr(self.published[-1].data, "step", "") == "importasdm":
                self.lost.set()

    delivery = Losing()
    with pytest.raises(RestoreInterruptedError):
        bench.runner(HANG).handle(bench.order(), delivery)
    assert bench.launcher.started[0].wait(0) == -signal.SIGKILL
    assert getattr(delivery.published[-1].data, "step", "") == "importasdm"
    assert bench.left == []
    assert not list(bench.objects.list("requests/"))


def test_a_runner_that_is_closed_hands_its_order_back(bench: Bench) -> None:
    runner = bench.runner(HANG)

    class Closing(RecordingDelivery):
        """Somebody stops the runner as soon as it has begun."""

        def publish(self, events: object) -> None:
            runner.close()

    with pytest.raises(RestoreInterruptedError) as raised:
        runner.handle(bench.order(), Closing())
    assert raised.value.transient


def test_an_unsaid_word_of_progress_does_not_end_a_restore(bench: Bench) -> None:
    class Mute(RecordingDelivery):
        """A bus that is away for everything but the end."""

        def publish(self, events: object) -> None:
            raise DependencyAwayError("no confirm")

    assert restored(bench.runner().handle(bench.order(), Mute()))


def test_a_missing_casa_is_tried_later(bench: Bench, objects: DirectoryStore) -> None:
    settings = CasaRunnerSettings(scratch=bench.folder / "scratch", python=bench.folder / "missing")
    with pytest.raises(CasaAwayError, match="missing"):
        build(objects=objects, settings=settings).handle(bench.order(), RecordingDelivery())


class Flaky(DirectoryStore):
    """A store that is away when a tar comes, as often as it is told."""

    def __init__(self, root: Path, *, away: int) -> None:
        super().__init__(root)
        self.away = away

    def put(self, key: str, chunks: object, **options: object) -> ObjectRef:
        if key.endswith(".tar") and self.away:
            self.away -= 1
            raise DependencyAwayError("the store is away")
        return super().put(key, chunks, **options)  # type: ignore[arg-type]  # passed on as they came


def test_a_store_that_is_away_for_a_while_costs_no_restore(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Flaky(tmp_path / "store", away=1))
    assert restored(bench.runner().handle(bench.order(), RecordingDelivery()))
    assert len(bench.launcher.started) == 1


def test_a_dead_runner_takes_its_script_with_it_and_its_scratch_is_cleaned_at_the_next_start(
    tmp_path: Path, objects: DirectoryStore
) -> None:
    scratch = tmp_path / "scratch"
    child = (
        "from services.casa_runner.workspace import Workspace; import pathlib, os, signal\n"
        f"with Workspace(scratch=pathlib.Path({str(scratch)!r}), failed_quota=1).attempt('eb'):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    root = Path(__file__).parents[4]
    ended = subprocess.run([sys.executable, "-c", child], cwd=root, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert list((scratch / "attempts").iterdir())
    runner = build(objects=objects, settings=CasaRunnerSettings(scratch=scratch))
    assert runner.is_ready()
    assert not list((scratch / "attempts").iterdir())

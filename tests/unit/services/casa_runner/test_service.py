"""The runner restores once per key, says what came of it, and leaves nothing half done.

A stand-in script takes CASA's place, in a process of its own as CASA would be.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from contracts.envelope import Event
from contracts.manifests import ProductManifest
from contracts.messages import (
    ProductsReady,
    RequestFailed,
    RestoreCompleted,
    RestoreFailed,
    RestoreOrdered,
    RestoreProgressed,
    RestoreStarted,
)
from contracts.messages.parts import BlockFailure, ObjectRef, RestoredBlock
from contracts.reasons import ReasonCode
from services.casa_runner.errors import RestoreInterruptedError, ScratchFullError
from services.casa_runner.service import CasaRunner, build
from services.casa_runner.settings import CasaRunnerSettings
from services.casa_runner.workspace import Workspace
from shared.errors import DependencyAwayError
from shared.objects.directory import DirectoryStore
from tests.support.casa_orders import ppr_text
from tests.support.casa_standin import EB, FIELDS, ROWS_PER_FIELD, StandInLauncher, order_tiny_restore, write_tgz
from tests.support.delivery import RecordingDelivery

HANG = "import time\nwhile True: time.sleep(1)\n"


@pytest.fixture
def objects(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path / "store")


class Bench:
    """A runner with a stand-in for CASA."""

    def __init__(self, folder: Path, objects: DirectoryStore) -> None:
        self.folder = folder
        self.objects = objects
        self.launcher = StandInLauncher(folder)

    def runner(self, behaviour: str = "", **settings: object) -> CasaRunner:
        self.launcher = StandInLauncher(self.folder, behaviour)
        made = CasaRunnerSettings(scratch=self.folder / "scratch", progress_interval=0, **settings)  # type: ignore[arg-type]  # a table of keywords
        workspace = Workspace(scratch=made.scratch, keep_failed=made.keep_failed)
        return CasaRunner(settings=made, objects=self.objects, workspace=workspace, launcher=self.launcher)

    def order(self, *fields: str, **changes: object) -> Event:
        return order_tiny_restore(self.objects, self.folder, **({"fields": fields} | changes))

    @property
    def left(self) -> list[Path]:
        """What is left of attempts."""
        return list((self.folder / "scratch" / "attempts").iterdir())


@pytest.fixture
def bench(tmp_path: Path, objects: DirectoryStore) -> Bench:
    return Bench(tmp_path, objects)


def restored(events: list[Event]) -> RestoredBlock:
    first = events[0].data
    assert isinstance(first, RestoreCompleted)
    return first.block


def failed(events: list[Event]) -> BlockFailure:
    first, last = events[0].data, events[-1].data
    assert isinstance(first, RestoreFailed)
    assert isinstance(last, RequestFailed)
    return first.failure


def test_a_restore_is_told_with_its_tar_and_concludes_the_request(bench: Bench, tmp_path: Path) -> None:
    events = bench.runner().handle(bench.order(), RecordingDelivery())
    block = restored(events)
    assert block.file_name == f"{EB.file_form}.ms.split.cal.tar"
    assert (block.rows, block.fields, block.casa_version) == (2 * ROWS_PER_FIELD, FIELDS, "6.7.0-31")
    assert not block.reused
    assert isinstance(events[-1].data, ProductsReady)
    (tmp_path / "x.tar").write_bytes(bench.objects.read(block.tar))
    with tarfile.open(tmp_path / "x.tar") as tar:
        assert f"{EB.file_form}.ms.split.cal/FIELD/table.dat" in tar.getnames()
    assert bench.left == []


def test_the_manifest_holds_what_the_result_was_made_from(bench: Bench) -> None:
    event = bench.order()
    block = restored(bench.runner().handle(event, RecordingDelivery()))
    order = event.data
    assert isinstance(order, RestoreOrdered)
    key = f"products/{EB.file_form}/{order.restore_key}/manifest.json"
    manifest = ProductManifest.model_validate_json(bench.objects.get(key))
    assert (manifest.block, manifest.asdm, manifest.products) == (block, order.asdm, order.products)
    assert manifest.log is not None
    assert b"===== job.json" in bench.objects.read(manifest.log)


def test_start_and_steps_are_said_while_it_works(bench: Bench) -> None:
    delivery = RecordingDelivery(attempt=3)
    bench.runner("say('split', 80)\n").handle(bench.order(), delivery)
    started, *others = [event.data for event in delivery.published]
    assert isinstance(started, RestoreStarted)
    assert started.attempt == 3
    steps = [event.step for event in others if isinstance(event, RestoreProgressed)]
    assert steps[0] == "inputs"
    assert steps[-1] == "store"
    assert len({event.id for event in delivery.published}) == len(delivery.published)


def test_progress_is_said_at_most_once_per_interval(bench: Bench, tmp_path: Path) -> None:
    delivery = RecordingDelivery()
    runner = bench.runner("for number in range(1000): say('importasdm', number / 10)\n")
    runner._settings = runner._settings.model_copy(update={"progress_interval": 3600.0})
    runner.handle(bench.order(), delivery)
    assert [event.topic for event in delivery.published] == ["restore.started", "restore.progressed"]


def test_a_selection_is_delivered_alone_and_calls_for_other_fields_are_left_out(bench: Bench) -> None:
    behaviour = "assert [call['field'] for call in job['calls']] == ['J0510+1800'], job\n"
    block = restored(bench.runner(behaviour).handle(bench.order("J0510+1800"), RecordingDelivery()))
    assert block.fields == ("J0510+1800",)
    assert block.rows == ROWS_PER_FIELD


def test_the_same_order_again_starts_nothing_and_says_the_same(bench: Bench) -> None:
    runner, event = bench.runner(), bench.order()
    first = runner.handle(event, RecordingDelivery())
    delivery = RecordingDelivery(attempt=2)
    again = runner.handle(event, delivery)
    assert [(one.id, one.data) for one in again] == [(one.id, one.data) for one in first]
    assert delivery.published == []
    assert len(bench.launcher.started) == 1


def test_another_request_for_the_same_key_is_served_from_what_exists(bench: Bench) -> None:
    runner = bench.runner()
    first = restored(runner.handle(bench.order(), RecordingDelivery()))
    second = restored(runner.handle(bench.order(), RecordingDelivery()))
    assert second == first.model_copy(update={"reused": True})
    assert len(bench.launcher.started) == 1


def test_a_result_whose_tar_is_gone_is_made_again(bench: Bench) -> None:
    runner = bench.runner()
    first = restored(runner.handle(bench.order(), RecordingDelivery()))
    bench.objects.delete(first.tar.key)
    second = restored(runner.handle(bench.order(), RecordingDelivery()))
    assert not second.reused
    assert bench.objects.info(second.tar.key)


def test_of_two_runners_at_one_order_the_first_result_stands_and_the_other_is_removed(bench: Bench) -> None:
    class Slower(RecordingDelivery):
        """While this order is worked on, another runner finishes the same."""

        def publish(self, events: object) -> None:
            if not finished:
                finished.append(restored(bench.runner().handle(bench.order(), RecordingDelivery())))

    finished: list[RestoredBlock] = []
    block = restored(bench.runner().handle(bench.order(), Slower()))
    assert block == finished[0]
    tars = [info.ref for info in bench.objects.list("products/") if info.key.endswith(".tar")]
    assert tars == [block.tar]


def test_the_process_sees_nothing_of_the_runners_environment(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALMA_RESTORE_STORE__SECRET_KEY", "secret")
    expected = ["CASASITECONFIG", "HOME", "LANG", "MPLCONFIGDIR", "OMP_NUM_THREADS", "PATH"]
    behaviour = f"assert sorted(set(os.environ) - {{'LC_CTYPE'}}) == {expected}, os.environ\n"
    assert restored(bench.runner(behaviour).handle(bench.order(), RecordingDelivery()))


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
        ({"ppr": ppr_text(EB, command="hsd_restoredata")}, ReasonCode.PPR_INVALID, "hsd_restoredata"),
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
    assert failure.reason is ReasonCode.CASA_FAILED
    assert bench.launcher.started[0].wait(0) == -signal.SIGKILL


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


def test_too_little_scratch_is_tried_later(bench: Bench) -> None:
    with pytest.raises(ScratchFullError):
        bench.runner(disk_reserve=2**62).handle(bench.order(), RecordingDelivery())
    assert bench.launcher.started == []
    assert not list(bench.objects.list("requests/"))


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
        f"with Workspace(scratch=pathlib.Path({str(scratch)!r}), keep_failed=1).attempt('eb'):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    root = Path(__file__).parents[4]
    ended = subprocess.run([sys.executable, "-c", child], cwd=root, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert list((scratch / "attempts").iterdir())
    runner = build(objects=objects, settings=CasaRunnerSettings(scratch=scratch))
    assert runner.is_ready()
    assert not list((scratch / "attempts").iterdir())


def test_it_listens_to_ordered_restores_as_many_at_a_time_as_is_set(bench: Bench) -> None:
    [subscription] = bench.runner(concurrency=2).subscriptions()
    assert (subscription.queue, subscription.topics) == ("casa-runner", ("restore.ordered",))
    assert subscription.concurrency == 2


def test_a_runner_without_a_casa_is_not_ready(tmp_path: Path, objects: DirectoryStore) -> None:
    settings = CasaRunnerSettings(scratch=tmp_path / "scratch", python=tmp_path / "missing")
    assert not build(objects=objects, settings=settings).is_ready()
    assert os.access(settings.scratch, os.W_OK)

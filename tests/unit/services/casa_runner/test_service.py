"""The runner restores once per key and says what came of it.

A stand-in script takes CASA's place, in a process of its own as CASA would be.
"""

import os
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from contracts.manifests import ProductManifest
from contracts.messages import ProductsReady, RestoreOrdered, RestoreProgressed, RestoreStarted
from contracts.messages.parts import CasaBasis, CasaChoice
from services.casa_runner.errors import RestoreInterruptedError
from services.casa_runner.launchers.settings import CasaPlace, ProcessSettings
from services.casa_runner.service import build
from services.casa_runner.settings import CasaRunnerSettings
from shared.objects.directory import DirectoryStore
from shared.objects.lease import LeaseHeldError, LeaseLostError, Leases
from tests.support.casa_bench import Bench, restored
from tests.support.casa_standin import EB, FIELDS, LARGE_OUTPUT, ROWS_PER_FIELD
from tests.support.delivery import RecordingDelivery


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


@pytest.mark.parametrize(("version", "told"), [("6.7.0-31", True), ("4.2.2", False)], ids=["the same", "another one"])
def test_what_the_version_table_tells_of_a_casa_is_told_of_what_that_casa_made(
    bench: Bench, version: str, told: bool
) -> None:
    note = "Old project, using RHEL5 build of CASA."
    casa = CasaChoice(version=version, image="casa", note=note, basis=CasaBasis.MANIFEST)
    block = restored(bench.runner().handle(bench.order(casa=casa), RecordingDelivery()))
    assert block.casa_note == (note if told else None)


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
    bench.runner("say('split', 80)\n" + LARGE_OUTPUT).handle(bench.order(), delivery)
    started, *others = [event.data for event in delivery.published]
    assert isinstance(started, RestoreStarted)
    assert started.attempt == 3
    steps = [event.step for event in others if isinstance(event, RestoreProgressed)]
    assert steps[0] == "inputs"
    assert steps[-1] == "store"
    last = others[-1]
    assert isinstance(last, RestoreProgressed)
    assert last.bytes_written == 3 * 2**20
    assert 95 < last.percent <= 100
    assert len({event.id for event in delivery.published}) == len(delivery.published)


def test_progress_is_said_at_most_once_per_interval(bench: Bench, tmp_path: Path) -> None:
    delivery = RecordingDelivery()
    runner = bench.runner("for number in range(1000): say('importasdm', number / 10)\n")
    runner._settings = runner._settings.model_copy(update={"progress_interval": 3600.0})
    runner.handle(bench.order(), delivery)
    assert [event.topic for event in delivery.published] == ["restore.started"]


@pytest.mark.parametrize("version", ["6.7.0-31", "6.7.0"], ids=["as CASA names it", "as a script names it"])
def test_the_end_is_foretold_from_restores_of_the_same_way(bench: Bench, version: str) -> None:
    first, second = RecordingDelivery(), RecordingDelivery()
    launcher = ProcessSettings(casas={version: CasaPlace(command=("python3",))})
    bench.runner(launcher=launcher).handle(bench.order(casa_version=version), first)
    begun = datetime.now(UTC)
    bench.runner(launcher=launcher).handle(bench.order(casa_version=version, restore_key="0" * 32), second)

    def ends(delivery: RecordingDelivery) -> list[datetime | None]:
        said = [event.data for event in delivery.published]
        return [word.expected_end for word in said if isinstance(word, RestoreProgressed) and word.step == "store"]

    assert ends(first) == [None]
    [end] = ends(second)
    assert end is not None
    assert begun <= end <= begun + timedelta(seconds=60)


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


def test_while_a_runner_works_on_a_key_others_put_the_same_order_off(bench: Bench, tmp_path: Path) -> None:
    class Meanwhile(RecordingDelivery):
        """While this order is worked on, two more runners get one for the same key."""

        def publish(self, events: object) -> None:
            while len(put_off) < 2:
                with pytest.raises(LeaseHeldError) as raised:
                    Bench(tmp_path / "another", bench.objects).runner().handle(bench.order(), RecordingDelivery())
                put_off.append(raised.value)
            (tmp_path / "go").touch()

    (tmp_path / "another").mkdir()
    put_off: list[LeaseHeldError] = []
    runner = bench.runner(f"while not pathlib.Path({str(tmp_path / 'go')!r}).exists(): time.sleep(0.02)\n")
    launcher = bench.launcher
    block = restored(runner.handle(bench.order(), Meanwhile()))
    assert [error.transient for error in put_off] == [True, True]
    assert len(launcher.started) == 1
    again = restored(bench.runner().handle(bench.order(), RecordingDelivery()))
    assert again == block.model_copy(update={"reused": True})
    assert [info.ref for info in bench.objects.list("products/") if info.key.endswith(".tar")] == [block.tar]


def test_a_runner_that_lost_its_claim_names_nothing_and_says_nothing(bench: Bench) -> None:
    class TakenOver(RecordingDelivery):
        """Another claims the key, as if this runner had been thought dead."""

        def publish(self, events: object) -> None:
            [lease] = bench.objects.list("leases/products/")
            bench.objects.delete(lease.key)
            key = lease.key.removeprefix("leases/").removesuffix(".json")
            Leases(objects=bench.objects).claim(key, owner="another", ttl=timedelta(seconds=60))
            self.publish = super().publish  # type: ignore[method-assign,assignment]  # a stand-in that does so once

    with pytest.raises((LeaseLostError, RestoreInterruptedError)):
        bench.runner().handle(bench.order(), TakenOver())
    assert not [info.key for info in bench.objects.list("products/") if info.key.endswith("manifest.json")]
    assert not list(bench.objects.list("requests/"))


def test_the_process_sees_nothing_of_the_runners_environment(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALMA_RESTORE_STORE__SECRET_KEY", "secret")
    expected = ["CASASITECONFIG", "HOME", "LANG", "MPLCONFIGDIR", "OMP_NUM_THREADS", "PATH"]
    behaviour = f"assert sorted(set(os.environ) - {{'LC_CTYPE'}}) == {expected}, os.environ\n"
    assert restored(bench.runner(behaviour).handle(bench.order(), RecordingDelivery()))


def test_it_listens_to_ordered_restores_as_many_at_a_time_as_is_set(bench: Bench) -> None:
    [subscription] = bench.runner(concurrency=2).subscriptions()
    assert (subscription.queue, subscription.topics) == ("casa-runner", ("restore.ordered",))
    assert subscription.concurrency == 2


def test_its_order_may_be_held_for_as_long_as_a_restore_may_take(bench: Bench) -> None:
    [subscription] = bench.runner(time_limit=7200).subscriptions()
    assert subscription.longest == 7200


def test_a_runner_without_a_casa_is_not_ready(tmp_path: Path, objects: DirectoryStore) -> None:
    settings = CasaRunnerSettings(scratch=tmp_path / "scratch", python=tmp_path / "missing")
    assert not build(objects=objects, settings=settings).is_ready()
    assert os.access(settings.scratch, os.W_OK)

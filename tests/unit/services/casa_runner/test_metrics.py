"""What the runner counts of its restores, and what it tells of the disk that they are made on."""

import math
import shutil
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from services.casa_runner.errors import RestoreInterruptedError
from services.casa_runner.metrics import RunnerMetrics
from services.casa_runner.service import CasaRunner
from tests.support.casa_bench import Bench
from tests.support.delivery import RecordingDelivery


def counted(runner: CasaRunner) -> dict[tuple[str, str, str], float]:
    """Return the counts of restores by outcome, method and CASA version."""
    return {
        (sample.labels["outcome"], sample.labels["method"], sample.labels["casa"]): sample.value
        for family in runner.registry.collect()
        for sample in family.samples
        if sample.name == "alma_restore_casa_restores_total"
    }


def test_restores_are_counted_by_outcome_way_and_version(bench: Bench) -> None:
    runner = bench.runner()
    runner.handle(bench.order(), RecordingDelivery())
    runner.handle(bench.order(), RecordingDelivery())  # for another request
    assert counted(runner) == {
        ("restored", "single pass", "6.7.0-31"): 1.0,
        ("reused", "single pass", "6.7.0-31"): 1.0,
    }


@pytest.mark.parametrize(
    ("behaviour", "wanted"),
    [
        ("sys.exit(1)\n", ("casa_failed", "single pass", "none")),
        (
            "job['rows_by_field'] = dict.fromkeys(job['rows_by_field'], 1)\n",
            ("output_incomplete", "single pass", "6.7.0-31"),
        ),
    ],
)
def test_a_failure_tells_its_way_and_the_version_once_casa_has_named_it(
    bench: Bench, behaviour: str, wanted: tuple[str, str, str]
) -> None:
    runner = bench.runner(behaviour)
    runner.handle(bench.order(), RecordingDelivery())
    assert counted(runner) == {wanted: 1.0}


def test_a_failure_before_any_way_is_chosen_has_none(bench: Bench) -> None:
    runner = bench.runner()
    runner.handle(bench.order("No_Such_Field"), RecordingDelivery())
    ((outcome, *rest),) = counted(runner)
    assert (outcome, rest) == ("field_not_found", ["none", "none"])


def test_a_failure_that_is_no_longer_ours_to_tell_is_not_counted(bench: Bench) -> None:
    runner, delivery = bench.runner(), RecordingDelivery()
    delivery.lost.set()
    with pytest.raises(RestoreInterruptedError):
        runner.handle(bench.order("No_Such_Field"), delivery)
    assert counted(runner) == {}


def test_the_scratch_disk_is_told_as_it_is(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    RunnerMetrics(registry, scratch=tmp_path)
    usage = shutil.disk_usage(tmp_path)
    assert registry.get_sample_value("alma_restore_casa_scratch_size_bytes") == usage.total
    free = registry.get_sample_value("alma_restore_casa_scratch_free_bytes")
    assert free is not None
    assert abs(free - usage.free) < usage.total / 10  # others write there, too


def test_a_scratch_disk_that_is_away_hides_no_other_metric(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    RunnerMetrics(registry, scratch=tmp_path / "gone")
    size = registry.get_sample_value("alma_restore_casa_scratch_size_bytes")
    assert size is not None
    assert math.isnan(size)

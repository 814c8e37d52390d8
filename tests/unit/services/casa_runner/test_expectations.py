"""What past jobs took tells what the next will take."""

from pathlib import Path

import pytest

from services.casa_runner.expectations import KEPT, Expectations, PastJob, predicted
from shared.errors import DependencyAwayError
from shared.objects.directory import DirectoryStore


def job(size: int, seconds: float) -> PastJob:
    return PastJob(size=size, seconds=seconds, written=2 * size)


@pytest.mark.parametrize(
    ("jobs", "size", "seconds"),
    [
        ([job(100, 10)], 500, 10),
        ([job(100, 10), job(100, 20)], 500, 15),
        ([job(100, 10), job(300, 20)], 500, 30),
        ([job(100, 20), job(300, 10)], 500, 15),  # never falling
        ([job(100, 10), job(300, 50)], 10, 0),  # never negative
    ],
)
def test_time_is_read_off_a_line_through_past_jobs(jobs: list[PastJob], size: int, seconds: float) -> None:
    expected = predicted(jobs, size)
    assert expected is not None
    assert expected.seconds == pytest.approx(seconds)


def test_nobody_knows_before_the_first_job() -> None:
    assert predicted([], 100) is None


def test_the_last_jobs_of_each_way_and_version_are_remembered(tmp_path: Path) -> None:
    expectations = Expectations(objects=DirectoryStore(tmp_path))
    for number in range(KEPT + 1):
        expectations.learn(job(100, number), method="single pass", version="6.7.0-31")
    of_version = expectations.of(method="single pass", version="6.7.0.31", size=100)
    assert of_version == expectations.of(method="single pass", version=None, size=100)
    assert of_version is not None
    assert of_version.seconds == pytest.approx(sum(range(1, KEPT + 1)) / KEPT)
    assert of_version.written == 200
    assert expectations.of(method="reference", version=None, size=100) is None


class Away(DirectoryStore):
    """A store that does not answer."""

    def info(self, key: str) -> None:
        raise DependencyAwayError("away")


def test_a_store_that_is_away_costs_only_the_memory(tmp_path: Path) -> None:
    expectations = Expectations(objects=Away(tmp_path))
    expectations.learn(job(100, 10), method="reference", version="6.7.0-31")
    assert expectations.of(method="reference", version="6.7.0-31", size=100) is None

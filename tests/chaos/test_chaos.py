"""A minute of chaos; `make chaos` makes ten."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import randbelow

import pytest

from shared.objects.directory import DirectoryStore
from shared.objects.lease import Leases
from tests.chaos.judge import leftovers
from tests.chaos.plan import draw_plan
from tests.chaos.run import run
from tests.chaos.site import REPLICAS

SEEDS = 1_000_000


@pytest.mark.acceptance
@pytest.mark.timeout(400)
def test_a_minute_of_chaos_leaves_every_request_at_its_right_end_and_nothing_behind() -> None:
    seed = randbelow(SEEDS)
    victims = [f"{number} {name}" for number, name in enumerate(REPLICAS)]
    plan = draw_plan(seed=seed, requests=30, seconds=60.0, victims=victims)
    print(f"python -m tests.chaos --seed {seed} --requests 30 --seconds 60")
    report = run(plan, say=print)
    assert report.faults == ()
    assert report.repeated > 0


def test_the_same_seed_gives_the_same_plan_and_another_one_another() -> None:
    one, again, other = (draw_plan(seed=seed, requests=50, seconds=60.0, victims=["0 notifier"]) for seed in (7, 7, 8))
    assert one == again
    assert one.asked != other.asked
    assert one.troubles != other.troubles


def test_a_lease_that_a_living_service_never_let_go_is_a_fault_and_one_of_a_killed_service_is_swept(
    tmp_path: Path,
) -> None:
    store = DirectoryStore(tmp_path / "store")
    leases = Leases(objects=store)
    leases.claim("of/the/killed", owner="0 casa-runner", ttl=timedelta(minutes=4))
    calm_since = datetime.now(UTC)
    leases.claim("let/go", owner="1 casa-runner", ttl=timedelta(minutes=4)).release()
    leases.claim("kept", owner="1 casa-runner", ttl=timedelta(minutes=4))
    found = list(leftovers(store, scratch=tmp_path, calm_since=calm_since))
    assert found == ["lease of kept, which 1 casa-runner never let go"]
    assert list(leases.standing()) == []

"""A minute of chaos; `make chaos` makes ten."""

from secrets import randbelow

import pytest

from tests.chaos.plan import draw_plan
from tests.chaos.run import run
from tests.chaos.site import REPLICAS

SEEDS = 1_000_000
SECONDS = 60.0
VICTIMS = [f"{number} {name}" for number, name in enumerate(REPLICAS)]


@pytest.mark.timeout(400)
def test_a_minute_of_chaos_leaves_every_request_at_its_right_end_and_nothing_behind() -> None:
    seed = randbelow(SEEDS)
    plan = draw_plan(seed=seed, requests=30, seconds=SECONDS, victims=VICTIMS)
    print(f"python -m tests.chaos --seed {seed} --requests 30 --seconds {SECONDS:g}")
    report = run(plan, say=print)
    assert report.faults == ()
    assert report.repeated > 0
    assert all(report.troubles[kind] > 0 for kind in (*VICTIMS, *plan.kinds))


def test_the_same_seed_gives_the_same_plan_and_another_one_another() -> None:
    one, again, other = (draw_plan(seed=seed, requests=50, seconds=SECONDS, victims=VICTIMS) for seed in (7, 7, 8))
    assert one == again
    assert one.asks != other.asks
    assert one.troubles != other.troubles


def test_a_minute_has_every_kind_of_trouble_whatever_the_seed() -> None:
    for seed in range(0, SEEDS, SEEDS // 200):
        plan = draw_plan(seed=seed, requests=1, seconds=SECONDS, victims=VICTIMS)
        assert {trouble.what for trouble in plan.troubles} == set(plan.kinds)

"""A minute of chaos; `make chaos` makes ten."""

from secrets import randbelow

import pytest

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

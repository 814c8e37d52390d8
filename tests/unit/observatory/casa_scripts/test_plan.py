"""The observing plan keeps what export and calibration rely on."""

import pytest

from observatory.casa_scripts.plan import SUBSCAN_S, BlockSize, Intent, ObservingPlan, observing_plan


@pytest.fixture(params=list(BlockSize))
def plan(request: pytest.FixtureRequest) -> ObservingPlan:
    return observing_plan(request.param)


def test_scans_begin_and_end_on_subscans_and_never_touch(plan: ObservingPlan) -> None:
    for before, after in zip(plan.scans, plan.scans[1:], strict=False):
        assert before.end_s < after.start_s
    for scan in plan.scans:
        assert scan.start_s % SUBSCAN_S == scan.end_s % SUBSCAN_S == 0
        assert scan.start_s < scan.end_s
        assert SUBSCAN_S % plan.integration_s == 0


def test_every_target_scan_lies_between_two_of_the_phase_calibrator(plan: ObservingPlan) -> None:
    intents = [scan.field.intent for scan in plan.scans]
    for place, intent in enumerate(intents):
        if intent is Intent.TARGET:
            assert intents[place - 1] is intents[place + 1] is Intent.PHASE


def test_there_is_one_field_for_each_purpose(plan: ObservingPlan) -> None:
    assert [plan.field_for(intent).intent for intent in Intent] == list(Intent)


@pytest.mark.parametrize(("size", "megabytes"), [("small", 7), ("medium", 140), ("large", 1000)])
def test_an_asdm_takes_about_the_size_that_is_promised(size: str, megabytes: int) -> None:
    plan = observing_plan(BlockSize(size))
    integrations = sum(scan.end_s - scan.start_s for scan in plan.scans) / plan.integration_s
    baselines = plan.antenna_count * (plan.antenna_count - 1) / 2
    # Two polarisations of eight bytes, and flags of four with each.
    stored = integrations * baselines * plan.spw_count * plan.channel_count * 2 * (8 + 4) / 1e6
    assert stored == pytest.approx(megabytes, rel=0.2)


@pytest.mark.parametrize(
    ("intent", "word"),
    [
        (Intent.BANDPASS, "BANDPASS"),
        (Intent.FLUX, "AMPLITUDE"),
        (Intent.PHASE, "PHASE"),
        (Intent.TARGET, "TARGET"),
    ],
)
def test_the_pipeline_has_its_own_word_for_an_intent(intent: Intent, word: str) -> None:
    assert intent.pipeline_name == word

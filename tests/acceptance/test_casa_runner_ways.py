"""What every way to restore has to do alike, on real CASA and to the bit."""

import pytest

from contracts.messages import RestoreCompleted, RestoreProgressed, RestoreStarted
from contracts.messages.parts import Selection
from contracts.reasons import ReasonCode
from tests.support.casa_fixtures import block, products, site
from tests.support.casa_site import EB, Site
from tests.support.casa_ways import WAYS, WayCase, order_by_hand
from tests.support.measurement_sets import differences, names_of, nearly, rows_of

__all__ = ["block", "products", "site"]
pytestmark = pytest.mark.timeout(600)

CALIBRATORS = ("J0321+1234", "J0510+1800")


@pytest.fixture(params=WAYS, ids=lambda case: case.method)
def case(request: pytest.FixtureRequest, site: Site) -> WayCase:
    found: WayCase = request.param
    found.prepare(site)
    return found


def test_a_whole_block_equals_the_original_calibration_and_its_status_says_how_and_why(
    site: Site, case: WayCase
) -> None:
    started, *others, completed = site.said_of(case.order(site, None))

    assert isinstance(completed, RestoreCompleted), completed
    assert isinstance(started, RestoreStarted)
    assert (started.way, started.why) == (case.method, case.why)
    words = [word for word in others if isinstance(word, RestoreProgressed)]
    assert {"importasdm", "mstransform" if case.method == "single pass" else "applycal"} <= {
        word.step for word in words
    }
    assert [word.percent for word in words] == sorted(word.percent for word in words)
    assert (completed.block.method, completed.block.method_reason) == (case.method, case.why)
    assert completed.block.casa_version.startswith("6.7.0")
    assert completed.block.file_name == f"{EB.file_form}.ms.split.cal.tar"
    assert completed.block.rows == site.block.facts.rows
    assert differences(site.unpacked(completed.block), site.block.truth) == []
    assert list((site.settings.scratch / "attempts").iterdir()) == []


def test_calibrators_alone_equal_the_truth_and_tell_nothing_of_the_target(site: Site, case: WayCase) -> None:
    restored = site.restored(case.order(site, Selection(calibrator_fields=CALIBRATORS)))

    ms = site.unpacked(restored)
    assert sorted(restored.fields) == sorted(CALIBRATORS)
    # What a script has split is split once more, and then weights are not always the same to the last bit.
    assert set(differences(ms, site.block.truth, CALIBRATORS)) <= ({"WEIGHT"} if case.order is order_by_hand else set())
    assert nearly(ms, site.block.truth, "WEIGHT", CALIBRATORS)
    assert [path for path in ms.rglob("*") if path.is_file() and b"HLX" in path.read_bytes()] == []


def test_the_science_can_be_had_averaged(site: Site, case: WayCase) -> None:
    restored = site.restored(case.order(site, Selection(science_only=True, chanbin=4)))

    ms = site.unpacked(restored)
    assert names_of(ms, "FIELD", "NAME") == ["HLX_Target"]
    assert rows_of(ms)["DATA"].shape[1:] == (8, 2)


def test_a_field_that_is_not_there_is_refused_before_casa_starts(site: Site, case: WayCase) -> None:
    failure = site.failed(case.order(site, Selection(calibrator_fields=("NOPE",))))

    assert failure.reason is ReasonCode.FIELD_NOT_FOUND
    assert site.launcher.started == []

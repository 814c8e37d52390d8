"""Data that people calibrated: the delivered script in the CASA that it names, and nothing else, or a clear reason."""

import pytest

from contracts.messages.parts import Selection
from contracts.reasons import ReasonCode
from tests.support.casa_fixtures import block, products, site
from tests.support.casa_site import Site
from tests.support.casa_ways import order_by_hand, with_application

__all__ = ["block", "products", "site"]
pytestmark = pytest.mark.timeout(600)

BREAKS = {
    "ends the program": ("sys.exit('no solutions')", "SystemExit: no solutions"),
    "raises": ("raise ValueError('no solutions')", "ValueError: no solutions"),
    "leaves nothing": ("", "there is no uid___A002_Xc7111c_X3979.ms.split.cal"),
}


@pytest.mark.parametrize("broken", BREAKS)
def test_a_script_that_fails_fails_the_block(site: Site, broken: str) -> None:
    with_application(site)
    text, told = BREAKS[broken]
    event = order_by_hand(site)
    site.launcher.spoil = lambda files: [
        path.write_text(f"import sys\n{text}\n") for path in files.attempt.working.rglob("*.scriptForCalibration.py")
    ]

    failure = site.failed(event)

    assert failure.reason is ReasonCode.SCRIPT_FAILED
    assert told in failure.detail
    assert failure.log is not None


def test_a_task_that_fails_in_the_log_alone_fails_the_block(site: Site) -> None:
    with_application(site)
    event = order_by_hand(site)
    said = "casalog.post('An error occurred running task applycal.', 'SEVERE')"
    site.launcher.spoil = lambda files: [
        path.write_text(f"{path.read_text()}\n{said}\n")
        for path in files.attempt.working.rglob("*.scriptForCalibration.py")
    ]

    failure = site.failed(event)

    assert failure.reason is ReasonCode.SCRIPT_FAILED
    assert "An error occurred running task applycal." in failure.detail


def test_the_scripts_own_refusal_of_a_casa_is_told(site: Site) -> None:
    with_application(site, version="4.*")

    failure = site.failed(order_by_hand(site, casa_version="4.7.2"))

    assert failure.reason is ReasonCode.CASA_VERSION_UNAVAILABLE
    assert "4.7.2 is needed" in failure.detail


def test_without_just_the_casa_of_the_script_nothing_is_started(site: Site) -> None:
    with_application(site)

    failure = site.failed(order_by_hand(site, casa_version="4.7.2"))

    assert failure.reason is ReasonCode.CASA_VERSION_UNAVAILABLE
    assert site.launcher.started == []


def test_spectral_windows_that_the_script_numbers_anew_cannot_be_selected(site: Site) -> None:
    with_application(site)

    failure = site.failed(order_by_hand(site, Selection(spw=(1,))))

    assert failure.reason is ReasonCode.SELECTION_NOT_FOUND
    assert site.launcher.started == []

"""The way of the pipeline: the same bits, and every way in which it is known to fail.

No registry has the pipeline: a stand-in takes its place, which does with real CASA what the pipeline does.
"""

from pathlib import Path

import pytest

from contracts.messages import RestoreCompleted, RestoreStarted
from contracts.reasons import ReasonCode
from shared.pipeline_files.ppr import Kind
from tests.support.casa_fixtures import block, products, site
from tests.support.casa_site import Site
from tests.support.casa_ways import CHOICE, with_application
from tests.support.measurement_sets import differences

__all__ = ["block", "products", "site"]


def with_pipeline(site: Site, behaviour: str = "", version: str = "6.7.*") -> Site:
    """Give a site a CASA with a pipeline that behaves as told, and have all be restored by it."""
    with_application(site, behaviour, version, way="pipeline")
    return site


FAILURES = {
    "errorexit": "errorexit-20181001T120000.txt: Incorrect procedure title",
    "raises": "PipelineException: no such table",
    "dies": "exit status 3",
    "crashes": "exit status -11",
    "no-ms": "there is no uid___A002_Xc7111c_X3979.ms",
    "no-corrected": "has no CORRECTED_DATA",
    "late": "PipelineException",
    "severe": "Error in hifa_restoredata: KeyError: 'session_2'",
}


@pytest.mark.parametrize("behaviour", FAILURES)
def test_each_known_end_of_the_pipeline_but_success_fails_the_block(site: Site, behaviour: str) -> None:
    failure = with_pipeline(site, behaviour).failed(site.order(casa=CHOICE))

    assert failure.reason is ReasonCode.PIPELINE_FAILED
    assert FAILURES[behaviour] in failure.detail
    assert failure.log is not None
    assert failure.working_directory is not None


def test_a_request_that_the_pipeline_cannot_decode_fails_the_block(site: Site) -> None:
    with_pipeline(site)
    event = site.order(casa=CHOICE)
    site.launcher.spoil = lambda files: next(files.attempt.working.glob("PPR_*.xml")).write_text("<SciPipeRequest/>")

    failure = site.failed(event)

    assert failure.reason is ReasonCode.PIPELINE_FAILED
    assert "errorexit" in failure.detail


def test_another_casa_than_the_one_that_is_needed_is_refused_by_its_own_word(site: Site) -> None:
    failure = with_pipeline(site, version="6.5.*").failed(site.order(casa=CHOICE, casa_version="6.5.4-9"))

    assert failure.reason is ReasonCode.CASA_VERSION_UNAVAILABLE
    assert "6.5.4-9 is needed" in failure.detail


def test_single_dish_goes_through_the_pipeline_whatever_is_set(site: Site) -> None:
    """The request, its task and what comes out are shown; the stand-in has data of an interferometer alone."""
    with_pipeline(site)
    site.settings = site.settings.model_copy(update={"way": "fastest"})

    started, *_, completed = site.said_of(site.order(casa=CHOICE, kind=Kind.SD_RESTORE))

    assert isinstance(started, RestoreStarted)
    assert (started.way, started.why) == ("pipeline", "single_dish")
    assert isinstance(completed, RestoreCompleted), completed
    assert (completed.block.method, completed.block.method_reason) == ("pipeline", "single_dish")
    assert differences(site.unpacked(completed.block), site.block.truth) == []


def test_the_pipelines_folder_is_the_one_that_its_request_names(site: Site, tmp_path: Path) -> None:
    with_pipeline(site, "no-ms")
    failure = site.failed(site.order(casa=CHOICE))
    kept = Path(str(failure.working_directory).partition(":")[2])

    (request,) = (kept / "working").glob("PPR_*.xml")
    (link,) = (kept / "pipeline-root").glob("*/SOUS_*/GOUS_*/MOUS_*")
    assert request.is_file()
    assert link.is_symlink()
    assert link.resolve() == kept
    assert sorted(path.suffix for path in (kept / "rawdata").iterdir() if path.is_file()) == [
        ".tgz",
        ".tgz",
        ".txt",
        ".xml",
    ]

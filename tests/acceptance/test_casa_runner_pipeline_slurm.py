"""The way of the pipeline as a job of Slurm, whose jobs know nothing of the runner but a directory."""

import sys

import pytest

from services.casa_runner.launchers.choice import make_launcher
from services.casa_runner.launchers.settings import CasaPlace, SlurmSettings
from tests.support.casa_fixtures import block, products, site
from tests.support.casa_site import Site
from tests.support.casa_ways import CHOICE
from tests.support.measurement_sets import differences
from tests.support.slurm import SlurmCluster
from tests.support.standin import make_shell

__all__ = ["block", "products", "site"]
pytestmark = pytest.mark.timeout(600)


def test_the_pipelines_data_equal_the_original_calibration_to_the_bit(site: Site, slurm_cluster: SlurmCluster) -> None:
    place = CasaPlace(command=(sys.executable,), shell=make_shell(site.folder / "application"))
    settings = SlurmSettings(
        configuration=slurm_cluster.configuration, memory="1500MB", poll_interval=0.5, casas={"6.7.*": place}
    )
    site.launcher = make_launcher(settings)  # type: ignore[assignment]  # a site watches processes, which jobs are not
    site.settings = site.settings.model_copy(update={"launcher": settings, "way": "pipeline"})

    restored = site.restored(site.order(casa=CHOICE))

    assert (restored.method, restored.casa_version) == ("pipeline", site.block.facts.casa_version)
    assert differences(site.unpacked(restored), site.block.truth) == []

"""Real CASA restores an execution block in a container and as a job of Slurm, the same as in a process."""

import os
import sys

import pytest

from services.casa_runner.launcher import Launcher
from services.casa_runner.launchers.choice import make_launcher
from services.casa_runner.launchers.settings import CasaPlace, ContainerSettings, SlurmSettings
from tests.support.casa_fixtures import block, products, site
from tests.support.casa_jobs import USER
from tests.support.casa_site import Site
from tests.support.docker_engine import IMAGE, DockerEngine, python_mounts
from tests.support.measurement_sets import differences
from tests.support.slurm import SlurmCluster

__all__ = ["block", "products", "site"]


@pytest.fixture(params=["container", "slurm"])
def launcher(request: pytest.FixtureRequest) -> Launcher:
    if request.param == "slurm":
        cluster: SlurmCluster = request.getfixturevalue("slurm_cluster")
        place = CasaPlace(command=(sys.executable,))
        return make_launcher(
            SlurmSettings(configuration=cluster.configuration, memory="1500MB", poll_interval=0.5, casa=place)
        )
    engine: DockerEngine = request.getfixturevalue("docker_engine")
    return make_launcher(
        ContainerSettings(
            engine=engine.address,
            user=USER if os.getuid() == 0 else None,
            mounts=python_mounts(),
            memory="1500MB",
            casa=CasaPlace(command=(sys.executable,), image=IMAGE),
        )
    )


def test_the_delivered_data_equal_the_original_calibration_to_the_bit(site: Site, launcher: Launcher) -> None:
    site.launcher = launcher  # type: ignore[assignment]  # a site watches processes, which these are not
    block = site.restored(site.order())
    assert block.rows == site.block.facts.rows
    assert differences(site.unpacked(block), site.block.truth) == []
    assert list((site.settings.scratch / "attempts").iterdir()) == []

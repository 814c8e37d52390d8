"""Real CASA restores a block in a container and as a job of Slurm, on one core or two, the same as in a process."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from services.casa_runner.job import CasaFiles
from services.casa_runner.launcher import Launcher, Needs, RunningCasa
from services.casa_runner.launchers.choice import make_launcher
from services.casa_runner.launchers.settings import CasaPlace, ContainerSettings, SlurmSettings
from tests.support.casa_fixtures import block, products, site
from tests.support.casa_jobs import USER
from tests.support.casa_site import Site
from tests.support.docker_engine import IMAGE, DockerEngine, python_mounts
from tests.support.measurement_sets import differences
from tests.support.slurm import SlurmCluster

__all__ = ["block", "products", "site"]


@pytest.fixture(params=[("container", 1), ("slurm", 1), ("container", 2), ("slurm", 2)], ids="{0[0]}-{0[1]}".format)
def launcher(request: pytest.FixtureRequest) -> Launcher:
    """Give a launcher whose jobs have one core, or two."""
    kind, cores = request.param
    if kind == "slurm":
        cluster: SlurmCluster = request.getfixturevalue("slurm_cluster")
        place = CasaPlace(command=(sys.executable,))
        return make_launcher(
            SlurmSettings(
                configuration=cluster.configuration, memory="1500MB", cores=cores, poll_interval=0.5, casa=place
            )
        )
    engine: DockerEngine = request.getfixturevalue("docker_engine")
    return make_launcher(
        ContainerSettings(
            engine=engine.address,
            user=USER if os.getuid() == 0 else None,
            mounts=python_mounts(),
            memory="1500MB",
            cores=cores,
            casa=CasaPlace(command=(sys.executable,), image=IMAGE),
        )
    )


def test_the_delivered_data_equal_the_original_calibration_to_the_bit(
    site: Site, launcher: Launcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs: list[dict[str, Any]] = []
    start = launcher.start

    def start_and_note(script: Path, files: CasaFiles, needs: Needs) -> RunningCasa:
        jobs.append(json.loads(files.job.read_text()))
        return start(script, files, needs)

    monkeypatch.setattr(launcher, "start", start_and_note)
    site.launcher = launcher  # type: ignore[assignment]  # a site watches processes, which these are not
    site.settings = site.settings.model_copy(update={"halves_from": 0})
    block = site.restored(site.order())
    assert [bool(job["halves"]) for job in jobs] == [launcher.cores() > 1]
    assert (block.method, block.method_reason) == ("single pass", None)
    assert block.rows == site.block.facts.rows
    assert differences(site.unpacked(block), site.block.truth) == []
    assert list((site.settings.scratch / "attempts").iterdir()) == []

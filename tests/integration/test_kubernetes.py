"""Kubernetes: jobs outlive the runner, and every end that is not CASA's own is told apart.

The cluster is a stand-in that speaks its REST interface and runs pods as processes.
"""

import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep

import pytest

from services.casa_runner.errors import CasaAwayError
from services.casa_runner.job import CasaFiles
from services.casa_runner.launcher import CasaLostError, Launcher, RunningCasa
from services.casa_runner.launchers.choice import make_launcher
from services.casa_runner.launchers.settings import KubernetesSettings
from services.casa_runner.workspace import Attempt
from shared.errors import BlockFailedError
from tests.support.casa_jobs import HANG, Jobs, prepared
from tests.support.casa_standin import EB
from tests.support.documented import documented
from tests.support.kubernetes_cluster import NAMESPACE, KubernetesCluster
from tests.support.kubernetes_pod import Pod

ENOUGH = 20.0
DRAINED = {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[KubernetesCluster]:
    with KubernetesCluster(tmp_path) as made:
        yield made


@pytest.fixture
def settings(cluster: KubernetesCluster) -> KubernetesSettings:
    """What the document shows, but with the Python of this machine and the stand-in's cluster."""
    shown = documented(KubernetesSettings)
    assert shown.casa.image is not None
    cluster.images.add(shown.casa.image)
    of_this_machine = {
        "api": cluster.address,
        "account": cluster.account,
        "namespace": NAMESPACE,
        "claim_path": Path("/"),
        "uid": os.getuid() or 1000,
        "poll_interval": 0.05,
        "casa": shown.casa.model_copy(update={"command": (sys.executable,)}),
    }
    return shown.model_copy(update=of_this_machine)


@pytest.fixture
def launcher(settings: KubernetesSettings) -> Launcher:
    return make_launcher(settings)


@pytest.fixture
def dead(jobs: Jobs, launcher: Launcher) -> CasaFiles:
    """An attempt whose runner is dead while its job works: nobody holds its lock."""
    attempt = Attempt(jobs.attempts / "of-a-dead-runner")
    attempt.create()
    files = prepared(CasaFiles(attempt, EB))
    hanging(launcher, jobs, files)
    return files


def hanging(launcher: Launcher, jobs: Jobs, files: CasaFiles) -> RunningCasa:
    running = launcher.start(jobs.script(HANG), files)
    until = monotonic() + ENOUGH
    while not files.progress.stat().st_size:
        assert monotonic() < until
        sleep(0.02)
    return running


@pytest.mark.parametrize(
    ("take_away", "told"),
    [
        (
            lambda pod: pod.take_away(reason="Evicted", message="The node was low on resource: memory"),
            "low on resource",
        ),
        (lambda pod: pod.take_away(conditions=[DRAINED]), "EvictionByEvictionAPI"),
    ],
)
def test_a_pod_that_the_cluster_takes_away_is_tried_again(
    launcher: Launcher,
    cluster: KubernetesCluster,
    jobs: Jobs,
    files: CasaFiles,
    take_away: Callable[[Pod], None],
    told: str,
) -> None:
    running = hanging(launcher, jobs, files)
    take_away(cluster.pod())
    with pytest.raises(CasaLostError, match=told):
        running.wait(ENOUGH)
    assert cluster.names() == []


def test_a_pod_that_is_lost_with_its_node_is_tried_again(
    launcher: Launcher, cluster: KubernetesCluster, jobs: Jobs, files: CasaFiles
) -> None:
    running = hanging(launcher, jobs, files)
    cluster.forget_pod()
    with pytest.raises(CasaLostError, match="BackoffLimitExceeded"):
        running.wait(ENOUGH)


def test_a_job_that_somebody_removes_is_tried_again(
    launcher: Launcher, cluster: KubernetesCluster, jobs: Jobs, files: CasaFiles, settings: KubernetesSettings
) -> None:
    running = hanging(launcher, jobs, files)
    another = launcher.take_up(files)
    assert another is not None
    another.stop()
    with pytest.raises(CasaLostError, match="removed by somebody"):
        running.wait(ENOUGH)
    running.stop()


def test_an_image_that_cannot_be_pulled_is_named_and_tried_later(
    launcher: Launcher, cluster: KubernetesCluster, jobs: Jobs, files: CasaFiles
) -> None:
    image = cluster.images.pop()
    running = launcher.start(jobs.script(""), files)
    with pytest.raises(CasaAwayError, match=re.escape(image)):
        running.wait(ENOUGH)
    assert cluster.names() == []


def test_a_pod_without_a_node_is_queued_and_can_be_cancelled(
    launcher: Launcher, cluster: KubernetesCluster, jobs: Jobs, files: CasaFiles
) -> None:
    cluster.has_nodes = False
    running = launcher.start(jobs.script(""), files)
    assert running.wait(0.1) is None
    assert running.is_queued()
    running.stop()
    assert cluster.names() == []


def test_a_pod_that_takes_too_long_fails_the_block(settings: KubernetesSettings, jobs: Jobs, files: CasaFiles) -> None:
    launcher = make_launcher(settings.model_copy(update={"deadline": 1}))
    running = hanging(launcher, jobs, files)
    with pytest.raises(BlockFailedError, match="deadline"):
        running.wait(ENOUGH)
    assert not running.is_queued()


def test_a_cluster_that_is_away_has_nothing_to_tell_and_its_jobs_work_on(
    launcher: Launcher, cluster: KubernetesCluster, jobs: Jobs, files: CasaFiles
) -> None:
    running = hanging(launcher, jobs, files)
    cluster.stop()
    assert not launcher.is_ready()
    assert running.wait(0.2) is None
    with jobs.attempt() as others, pytest.raises(CasaAwayError, match="does not answer"):
        launcher.start(jobs.script(""), others)
    cluster.start()
    assert launcher.is_ready()
    assert running.wait(0.1) is None
    running.stop()


def test_the_token_is_read_anew_whenever_it_is_shown(
    launcher: Launcher, cluster: KubernetesCluster, jobs: Jobs, files: CasaFiles
) -> None:
    running = hanging(launcher, jobs, files)
    cluster.renew_token()
    assert launcher.is_ready()
    running.stop()
    assert cluster.names() == []


def test_what_the_account_may_not_do_is_told_in_the_clusters_words(
    launcher: Launcher, cluster: KubernetesCluster, jobs: Jobs, files: CasaFiles
) -> None:
    cluster.allowed = False
    assert not launcher.is_ready()
    with pytest.raises(CasaAwayError, match=r"403 jobs\.batch is forbidden"):
        launcher.start(jobs.script(""), files)


def test_jobs_of_dead_runners_are_removed_and_those_of_living_ones_are_not(
    launcher: Launcher, cluster: KubernetesCluster, jobs: Jobs, files: CasaFiles, dead: CasaFiles
) -> None:
    living = hanging(launcher, jobs, files)
    assert launcher.end_orphans(jobs.attempts) == frozenset()
    assert len(cluster.names()) == 1
    assert living.wait(0.1) is None
    assert launcher.take_up(dead) is None
    living.stop()


def test_the_job_of_a_dead_runner_is_spared_and_taken_up(
    launcher: Launcher, cluster: KubernetesCluster, jobs: Jobs, dead: CasaFiles
) -> None:
    assert launcher.end_orphans(jobs.attempts, spare=lambda _: True) == {dead.attempt.root}
    running = launcher.take_up(dead)
    assert running is not None
    assert running.wait(0.1) is None
    running.stop()
    assert [line.split()[0] for line in cluster.asked].count("POST") == 1


def test_what_is_left_of_a_job_that_failed_while_no_runner_looked_is_removed(
    launcher: Launcher, cluster: KubernetesCluster, jobs: Jobs, dead: CasaFiles
) -> None:
    cluster.pod().end()
    assert launcher.end_orphans(jobs.attempts, spare=lambda _: True) == frozenset()
    assert cluster.names() == []

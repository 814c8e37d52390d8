"""Any one service is killed with -9 in the middle of its work and started again: same delivery, one mail."""

from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Queue
from uuid import uuid4

import pytest

from alma_restore.demo.follow import Follower
from alma_restore.demo.results import Results
from alma_restore.demo.scenario import Asked, Expected
from alma_restore.progress import RequestState
from contracts.envelope import Event
from contracts.messages import RestoreProgressed, RestoreStarted
from contracts.messages.parts import RestoreRequest
from observatory import metadata_demo
from observatory.miniature import MiniatureAlma
from tests.support.deployment import Deployment, ServiceProcess
from tests.support.measurement_sets import differences, unpack
from tests.support.rabbitmq import RabbitServer
from tests.support.s3 import S3Server

pytestmark = pytest.mark.acceptance

MOUS = metadata_demo.EMPTY_FIRST_SESSION
TIMEOUT = 120.0
STEP_TIMEOUT = 60.0

HELD_BY = {
    "entitlement-checker": "request.submitted",
    "metadata-resolver": "request.accepted",
    "ppr-builder": "artefacts.staged",
    "notifier": "release.granted",
}
"""The event that a quick service holds, unacknowledged, when it dies."""


@pytest.fixture(scope="module")
def alma(tmp_path_factory: pytest.TempPathFactory, observatory_cache: Path) -> Iterator[MiniatureAlma]:
    root = tmp_path_factory.mktemp("observatory")
    with MiniatureAlma(root=root, cache=observatory_cache, mouss=[MOUS]) as alma:
        yield alma


@pytest.fixture(scope="module")
def deployment(alma: MiniatureAlma, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with (
        RabbitServer() as broker,
        S3Server() as s3,
        Deployment(root=tmp_path_factory.mktemp("site"), alma=alma, broker=broker, s3=s3) as deployment,
    ):
        yield deployment


@pytest.fixture(autouse=True)
def _nothing_restored_before(deployment: Deployment) -> None:
    """Let each request be worked on whole."""
    store = deployment.store()
    for prefix in ("products/", "asdm/", "calibration/", "ppr/"):
        for found in list(store.list(prefix)):
            store.delete(found.key)
    store.close()


def ask() -> Asked:
    request = RestoreRequest(
        request_id=uuid4(),
        project_code=MOUS.project.code,
        mous_uid=MOUS.uid,
        user_name=metadata_demo.PI.name,
        user_email=metadata_demo.PI.email,
        ticket="1",
    )
    fields = frozenset({"J0510+1800", "J0423-0120", "J0321+1234", "HLX_Target"})
    return Asked(
        title="killed",
        request=request,
        expected=Expected(state=RequestState.DELIVERED, files=1, fields=fields),
    )


def wait_for(events: "Queue[Event]", wanted: Callable[[Event], bool]) -> Event:
    """Take events until one is wanted."""
    while not wanted(event := events.get(timeout=STEP_TIMEOUT)):
        pass
    return event


def run_with_death(deployment: Deployment, death: Callable[["Queue[Event]"], ServiceProcess]) -> None:
    """Ask, let a replica die at its moment, start it again, and compare what came out with the truth."""
    asked, events = ask(), Queue[Event]()
    follower = Follower([asked])
    stop = deployment.bus.listen(events.put, request_id=asked.request.request_id)

    class Dying:
        """The deployment, in which something dies after a request came in."""

        listen = deployment.listen

        def submit(self, request: RestoreRequest, *, source: str) -> None:
            deployment.submit(request, source=source)
            dead = death(events)
            dead.kill()
            dead.start()

    assert follower.ask_all(Dying(), timeout=TIMEOUT), [str(event.topic) for event in events.queue]
    stop()
    progress = follower.of("killed")
    results = Results(deliveries=deployment.house.deliveries, mails=deployment.house.mails)
    assert results.differences(asked, progress) == []


def check_truth(deployment: Deployment, alma: MiniatureAlma, tmp_path: Path) -> None:
    (block,) = alma.blocks.values()
    for tar in deployment.house.deliveries.glob("*/*.tar"):
        assert differences(unpack(tar, tmp_path / tar.parent.name), block.truth) == []


@pytest.mark.parametrize("name", HELD_BY)
def test_a_service_that_dies_with_an_event_in_its_hands(deployment: Deployment, name: str) -> None:
    victim = deployment.named(name)
    victim.wait_until_ready()
    victim.freeze()

    def death(events: "Queue[Event]") -> ServiceProcess:
        wait_for(events, lambda event: event.topic == HELD_BY[name])
        return victim

    run_with_death(deployment, death)


def test_a_fetcher_that_dies_while_it_fetches(deployment: Deployment) -> None:
    def death(events: "Queue[Event]") -> ServiceProcess:
        wait_for(events, lambda event: event.topic == "fetch.progressed")
        return deployment.named("ngas-fetcher")

    run_with_death(deployment, death)


def test_a_runner_that_dies_while_casa_works(deployment: Deployment, alma: MiniatureAlma, tmp_path: Path) -> None:
    def death(events: "Queue[Event]") -> ServiceProcess:
        started = wait_for(events, lambda event: isinstance(event.data, RestoreStarted)).data
        wait_for(events, lambda event: isinstance(event.data, RestoreProgressed))
        assert isinstance(started, RestoreStarted)
        pid = int(started.runner.rsplit(":", 1)[1])
        return next(replica for replica in deployment.replicas if replica.pid == pid)

    run_with_death(deployment, death)
    check_truth(deployment, alma, tmp_path)


def test_every_service_ends_in_peace_when_it_is_told_to(deployment: Deployment) -> None:
    for replica in deployment.replicas:
        replica.wait_until_ready()
        assert replica.stop() == 0, replica.name
        replica.start()

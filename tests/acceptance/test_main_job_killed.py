"""Every service is killed with -9 in the middle of one request and started again: same delivery, one mail."""

from collections.abc import Callable
from pathlib import Path
from queue import Queue
from uuid import uuid4

import pytest

from alma_restore.demo.follow import Follower
from alma_restore.demo.results import Results
from alma_restore.demo.scenario import Asked, Expected
from alma_restore.progress import RequestState
from alma_restore.registry import BUILDERS
from contracts.envelope import Event
from contracts.messages import RestoreProgressed, RestoreStarted
from contracts.messages.parts import RestoreRequest
from observatory import metadata_demo
from observatory.miniature import MiniatureAlma
from tests.acceptance.conftest import Deployed
from tests.support.deployment import Deployment, ServiceProcess
from tests.support.measurement_sets import differences, unpack

pytestmark = pytest.mark.timeout(400)

MOUS = metadata_demo.EMPTY_FIRST_SESSION
TIMEOUT = 240.0
STEP_TIMEOUT = 60.0

HELD_BY = {
    "entitlement-checker": "request.submitted",
    "metadata-resolver": "request.accepted",
    "ppr-builder": "artefacts.staged",
    "notifier": "release.granted",
}
"""The event that a quick service holds, unacknowledged, when it dies."""


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


class Mortal:
    """A deployment in which every service dies in the middle of its work, one after the other, and is started again."""

    def __init__(self, deployment: Deployment, events: "Queue[Event]") -> None:
        self._deployment = deployment
        self._events = events
        self.listen = deployment.listen
        self.died: list[str] = []

    def submit(self, request: RestoreRequest, *, source: str) -> None:
        for name in HELD_BY:
            self._deployment.named(name).freeze()
        self._deployment.submit(request, source=source)
        for name in ("entitlement-checker", "metadata-resolver"):
            self._die_holding(name)
        self._hear(lambda event: event.topic == "fetch.progressed")
        self._die(self._deployment.named("ngas-fetcher"))
        self._die(self._deployment.named("request-desk"))
        self._die_holding("ppr-builder")
        self._die(self._runner_at_work())
        self._die_holding("notifier")

    def _hear(self, wanted: Callable[[Event], bool]) -> Event:
        while not wanted(event := self._events.get(timeout=STEP_TIMEOUT)):
            pass
        return event

    def _die_holding(self, name: str) -> None:
        self._hear(lambda event: event.topic == HELD_BY[name])
        self._die(self._deployment.named(name))

    def _runner_at_work(self) -> ServiceProcess:
        started = self._hear(lambda event: isinstance(event.data, RestoreStarted)).data
        self._hear(lambda event: isinstance(event.data, RestoreProgressed))
        assert isinstance(started, RestoreStarted)
        pid = int(started.runner.rsplit(":", 1)[1])
        return next(replica for replica in self._deployment.replicas if replica.pid == pid)

    def _die(self, replica: ServiceProcess) -> None:
        replica.kill()
        replica.start()
        self.died.append(replica.name)


def test_every_service_dies_in_the_middle_of_a_request_and_nothing_is_lost_or_sent_twice(
    deployed: Deployed, main_alma: MiniatureAlma, tmp_path: Path
) -> None:
    deployment, asked, events = deployed.deployment, ask(), Queue[Event]()
    follower, mortal = Follower([asked]), Mortal(deployment, events)
    stop = deployment.bus.listen(events.put, request_id=asked.request.request_id)
    assert follower.ask_all(mortal, timeout=TIMEOUT), [str(event.topic) for event in events.queue]
    stop()
    assert set(mortal.died) == set(BUILDERS)
    progress = follower.of("killed")
    results = Results(deliveries=deployment.house.deliveries, mails=deployment.house.mails)
    assert results.differences(asked, progress) == []
    (tar,) = results.folder_of(progress).glob("*.tar")
    assert differences(unpack(tar, tmp_path), main_alma.blocks[MOUS.blocks[0].uid].truth) == []


def test_every_service_ends_in_peace_when_it_is_told_to(deployed: Deployed) -> None:
    for replica in deployed.deployment.replicas:
        replica.wait_until_ready()
        assert replica.stop() == 0, replica.name

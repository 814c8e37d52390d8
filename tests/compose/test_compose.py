"""The compose project runs the demo's requests, whatever is killed on the way: every delivery, one mail each."""

import json
import re
from collections import defaultdict
from collections.abc import Set
from importlib import metadata
from pathlib import Path
from time import monotonic, sleep
from uuid import UUID

import pytest
from docker.models.containers import Container

from alma_restore import Desk
from alma_restore.demo.mails import SentMail, mail_differences
from alma_restore.demo.scenario import Asked, scenario
from alma_restore.desk_http import DeskAwayError, DeskRefusedError
from alma_restore.registry import BUILDERS
from contracts.envelope import Event
from contracts.identifiers import ExecBlockUid
from contracts.messages import RequestSubmitted
from contracts.messages.parts import RestoreRequest
from dashboards.alerts import ALERTS
from observatory.blocks import MadeBlock
from services.request_desk.ledger.states import RequestState
from shared.errors import DependencyAwayError
from shared.service import source_of
from tests.support.compose import ComposeProject
from tests.support.compose_base import INSTALLED
from tests.support.extras import canonical, installed_with
from tests.support.measurement_sets import differences, unpack

pytestmark = pytest.mark.timeout(900)

ASKED = scenario()
DELIVERED = [entry for entry in ASKED if entry.expected.files]
ENDS = {str(entry.expected.state) for entry in ASKED}
TIMEOUT = 300.0
WHAT_IS_HELD = """
import json
from importlib.metadata import distributions
print(json.dumps({each.name: each.version for each in distributions()}))
"""


def submit(project: ComposeProject, *requests: RestoreRequest) -> None:
    """Say that somebody asks for data, as soon as the broker takes it."""
    source = source_of("archive-request-system")
    events = [Event.first(RequestSubmitted(request=request), source=source) for request in requests]
    until = monotonic() + 60
    while True:
        bus = project.bus()
        try:
            bus.publish(events)
        except DependencyAwayError:
            assert monotonic() < until, "the broker did not come back"
            sleep(0.5)
        else:
            return
        finally:
            bus.close()


def wait_for_step(desk: Desk, asked: Asked, states: Set[str]) -> None:
    """Wait until a request is in one of these states, as the desk shows it."""
    until = monotonic() + TIMEOUT
    while state_of(desk, asked) not in states:
        assert monotonic() < until, f"{asked.title}: {state_of(desk, asked)} instead of {states}"
        sleep(0.5)


def state_of(desk: Desk, asked: Asked) -> str:
    try:
        return str(desk.request(asked.request.request_id).state)
    except (DeskRefusedError, DeskAwayError):  # not in the ledger yet
        return "unknown"


def kill_and_restart(project: ComposeProject, service: str) -> None:
    container = project.containers(service)[0]
    container.kill("SIGKILL")
    container.start()


def said_by(container: Container, *command: str) -> str:
    """Run a command in a container; returns what it says."""
    said = container.exec_run(list(command)).output
    assert isinstance(said, bytes)
    return said.decode()


def kill_at_work(project: ComposeProject, blocks: set[str]) -> str:
    """Kill a casa-runner in the middle of one of some blocks, and start it again; returns which one it was."""
    until = monotonic() + TIMEOUT
    while True:
        for container in project.containers("casa-runner"):
            working = said_by(container, "ls", "/var/lib/alma-restore/scratch/attempts")
            found = re.search(r"^(uid___A\d+_X[0-9a-f]+_X[0-9a-f]+)-", working)
            if found is not None and found[1] in blocks:
                container.kill("SIGKILL")
                container.start()
                return found[1]
        assert monotonic() < until, "no casa-runner works"
        sleep(0.2)


def disturb(project: ComposeProject, desk: Desk) -> str:
    """Kill services in the middle of the first request, a runner at work among them, and restart the broker.

    Returns the block that the runner worked on.
    """
    wait_for_step(desk, DELIVERED[0], {RequestState.RESOLVED})
    kill_and_restart(project, "ngas-fetcher")
    mine = {ExecBlockUid(block.eb_uid).file_form for block in desk.request(DELIVERED[0].request.request_id).blocks}
    interrupted = kill_at_work(project, mine)
    kill_and_restart(project, "notifier")
    project.containers("rabbitmq")[0].restart(timeout=10)
    assert state_of(desk, DELIVERED[0]) not in ENDS, "all was done before"
    return interrupted


def wait_until_all_are_scraped(project: ComposeProject) -> dict[str, str]:
    """Wait until Prometheus has seen again whom we killed; returns how each is, by service and address."""
    until = monotonic() + 60
    while set((health := project.targets()).values()) != {"up"} and monotonic() < until:
        sleep(1)
    return health


def wrong_tars(desk: Desk, asked: Asked, truths: dict[str, MadeBlock], into: Path) -> list[str]:
    """Download a delivery; returns what of it is not the truth to the bit."""
    into.mkdir()
    tars = [path for path in desk.download(asked.request.request_id, into) if path.suffix == ".tar"]
    if len(tars) != asked.expected.files or not {path.name for path in tars} <= set(truths):
        return [f"delivered: {sorted(path.name for path in tars)}"]
    fields = asked.request.selection.calibrator_fields or None
    return [
        f"{tar.name}: {column}"
        for tar in tars
        for column in differences(unpack(tar, into / "unpacked"), truths[tar.name].truth, fields)
    ]


def test_all_of_it_runs_with_three_runners_and_survives_what_is_killed(
    project: ComposeProject, truths: dict[str, MadeBlock], tmp_path: Path
) -> None:
    assert len(project.containers("casa-runner")) == 3
    project.raise_alert("Rehearsal")
    with project.desk() as desk:
        submit(project, *(asked.request for asked in ASKED if asked.after is None))
        interrupted = disturb(project, desk)
        for asked in (entry for entry in ASKED if entry.after is not None):
            wait_for_step(desk, next(one for one in ASKED if one.title == asked.after), ENDS)
            submit(project, asked.request)
        for asked in ASKED:
            wait_for_step(desk, asked, ENDS)
        shown = {asked.title: desk.request(asked.request.request_id) for asked in ASKED}
        assert {title: (one.state, one.reason) for title, one in shown.items()} == {
            asked.title: (asked.expected.state, asked.expected.reason) for asked in ASKED
        }
        blocks = [block for asked in DELIVERED for block in shown[asked.title].blocks]
        assert max(each.attempts for each in blocks if ExecBlockUid(each.eb_uid).file_form == interrupted) > 1
        for asked in DELIVERED:
            assert wrong_tars(desk, asked, truths, tmp_path / str(asked.request.request_id)) == [], asked.title
    mails = defaultdict[UUID, list[SentMail]](list)
    for mail in project.mails():
        mails[mail.request_id].append(mail)
    assert {asked.title: mail_differences(asked, mails[asked.request.request_id]) for asked in ASKED} == {
        asked.title: [] for asked in ASKED
    }
    health = wait_until_all_are_scraped(project)
    assert sum(name.startswith("casa-runner") for name in health) == 3
    assert set(health.values()) == {"up"}, health
    assert project.alertmanagers() == 1
    assert [subject for subject in project.alarms() if "Rehearsal" in subject], "no alert came by mail"
    rules = project.rules()
    assert rules.keys() == {alert.name for alert in ALERTS}
    assert set(rules.values()) <= {"ok", "unknown"}, rules


def test_the_broker_has_what_operators_and_onlookers_use(project: ComposeProject) -> None:
    said = said_by(project.containers("rabbitmq")[0], "rabbitmq-plugins", "list", "--enabled", "--minimal", "--quiet")
    assert {"rabbitmq_management", "rabbitmq_prometheus", "rabbitmq_stream"} <= set(said.split())


def test_every_image_of_ours_says_what_it_is_and_of_which_version(project: ComposeProject) -> None:
    for service in (*BUILDERS, "observatory"):
        image = project.containers(service)[0].image
        assert image is not None
        prefix = "org.opencontainers.image."
        assert {name.removeprefix(prefix): said for name, said in image.labels.items() if name.startswith(prefix)} == {
            "title": f"alma-restore {service}",
            "description": "Calibrated ALMA data on request",
            "licenses": "BSD-3-Clause",
            "version": project.VERSION,
            "revision": project.REVISION,
            "source": project.SOURCE,
        }, service
    said = said_by(project.containers("notifier")[0], "alma-restore", "--version")
    assert said.strip() == f"alma-restore {project.VERSION}"


@pytest.mark.parametrize("service", INSTALLED)
def test_an_image_that_installed_by_itself_holds_what_its_service_needs_in_just_these_versions_and_nothing_else(
    project: ComposeProject, service: str
) -> None:
    container = project.containers(service)[0]
    held = json.loads(said_by(container, "python", "-c", WHAT_IS_HELD))
    named = {canonical(name): version for name, version in held.items()}
    assert named.pop("alma-restore") == project.VERSION
    assert named == {name: metadata.version(name) for name in installed_with("tracing", service) - {"alma-restore"}}
    assert said_by(container, "id", "-u").strip() == "10001"


def test_an_image_finds_its_service_well_by_itself_and_a_container_that_serves_nothing_unwell(
    project: ComposeProject,
) -> None:
    """The project asks whether services are ready; who runs an image without it is left with the image's own check."""
    found = {service: asked_by_its_image(project.containers(service)[0]) for service in (*BUILDERS, "refresh")}
    assert {service for service, code in found.items() if code == 0} == set(BUILDERS)


def asked_by_its_image(container: Container) -> int | None:
    """Ask a container for its health as its image says; returns the exit code."""
    assert container.image is not None
    how, *command = container.image.attrs["Config"]["Healthcheck"]["Test"]
    assert how == "CMD"
    return container.exec_run(command).exit_code


def test_nothing_of_it_is_left_when_it_is_taken_down(project: ComposeProject) -> None:
    project.close()
    assert project.left() == []

"""The main job, judged by the observatory's truth: the same in one process and as processes of their own."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from opentelemetry.trace import SpanKind
from pydantic import SecretStr

from alma_restore import Desk
from alma_restore.demo.follow import Follower, System
from alma_restore.demo.house import DeskDoor, House
from alma_restore.demo.results import Results
from alma_restore.demo.scenario import Asked, scenario
from alma_restore.registry import BUILDERS
from contracts.envelope import Event
from contracts.messages import RestoreStarted
from observatory import metadata_demo
from observatory.miniature import MiniatureAlma
from tests.acceptance.conftest import Deployed
from tests.support.measurement_sets import differences, unpack
from tests.support.ports import free_ports
from tests.support.samples import WAY
from tests.support.spans import Spans, faults, kept_spans, message_of, service_of

TIMEOUT = 240.0
ASKED = scenario()
DELIVERED = [entry for entry in ASKED if entry.expected.files]


@dataclass
class Ran:
    """A system that has been through the whole scenario, the spans of all its processes, and who restored."""

    house: House
    follower: Follower
    alma: MiniatureAlma
    desk: DeskDoor
    spans: Spans
    all_ended: bool
    runners: set[str]

    @property
    def results(self) -> Results:
        return Results(deliveries=self.house.deliveries, mails=self.house.mails)


@pytest.fixture(scope="module", params=["embedded", "deployed"])
def ran(
    request: pytest.FixtureRequest, main_alma: MiniatureAlma, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ran]:
    if request.param == "deployed":
        deployed: Deployed = request.getfixturevalue("deployed")
        yield run(deployed.deployment.house, deployed.deployment, main_alma, deployed.desk, deployed.spans)
        return
    house = House(tmp_path_factory.mktemp("embedded"))
    door = DeskDoor(free_ports(1)[0], SecretStr("the key of this machine"))
    with kept_spans() as spans, house.running(main_alma, runners=2, desk=door) as embedded:
        yield run(house, embedded, main_alma, door, spans)


def run(house: House, system: System, alma: MiniatureAlma, door: DeskDoor, spans: Spans) -> Ran:
    follower, runners = Follower(ASKED), set[str]()

    def note(event: Event) -> None:
        if isinstance(event.data, RestoreStarted):
            runners.add(event.data.runner)

    stop = system.listen(note)
    try:
        all_ended = follower.ask_all(system, timeout=TIMEOUT)
    finally:
        stop()
    return Ran(house, follower, alma, door, spans, all_ended, runners)


@pytest.mark.parametrize("asked", ASKED, ids=lambda asked: str(asked.title))
def test_a_request_ends_as_it_should_with_one_mail(ran: Ran, asked: Asked) -> None:
    assert ran.all_ended
    assert ran.results.differences(asked, ran.follower.of(asked.title)) == []


@pytest.mark.parametrize("asked", DELIVERED, ids=lambda asked: str(asked.title))
def test_delivered_data_equals_the_truth_to_the_bit(ran: Ran, asked: Asked, tmp_path: Path) -> None:
    folder = ran.results.folder_of(ran.follower.of(asked.title))
    fields = asked.request.selection.calibrator_fields or None
    tars = sorted(folder.glob("*.tar"))
    assert [tar.name for tar in tars] == sorted(
        f"{block.uid.file_form}.ms.split.cal.tar" for session in metadata_demo.MOUS.sessions for block in session.blocks
    )
    truths = {f"{block.truth.name}.tar": block.truth for block in ran.alma.blocks.values()}
    for tar in tars:
        assert differences(unpack(tar, tmp_path), truths[tar.name], fields) == []


def test_one_block_is_not_taken_for_another(ran: Ran, tmp_path: Path) -> None:
    """The comparison can fail: the truth of another block is not the truth of this one."""
    first, second, *_ = (block for block in ran.alma.blocks.values())
    tar = ran.results.folder_of(ran.follower.of(DELIVERED[0].title)) / f"{first.truth.name}.tar"
    assert "DATA" in differences(unpack(tar, tmp_path), second.truth)


def test_failed_requests_leave_nothing_in_the_delivery_area(ran: Ran) -> None:
    delivered = {ran.results.folder_of(ran.follower.of(entry.title)).name for entry in DELIVERED}
    assert {path.name for path in ran.house.deliveries.iterdir()} == delivered


def test_the_failure_mail_names_the_file_and_what_was_wrong(ran: Ran) -> None:
    for title, words in (
        ("binary data corrupted in the archive", "expected crc32"),
        ("binary data truncated in the archive", "expected"),
    ):
        asked = next(entry for entry in ASKED if entry.title == title)
        (mail,) = ran.results.mails_of(asked)
        text = mail.message.get_body(("plain",))
        assert text is not None
        assert words in text.get_content()
        assert asked.expected.reason is not None
        assert asked.expected.reason.value in str(mail.message["X-ALMA-Restore-Reason"])


def test_the_desk_knows_how_each_request_ended_and_hands_its_data_out(ran: Ran, tmp_path: Path) -> None:
    with Desk(f"http://127.0.0.1:{ran.desk.port}", token=ran.desk.key.get_secret_value()) as desk:
        for asked in ASKED:
            shown = desk.request(asked.request.request_id)
            assert (shown.state, shown.reason) == (asked.expected.state, asked.expected.reason)
        for asked in DELIVERED[:1]:
            fetched = {path.name: path.read_bytes() for path in desk.download(asked.request.request_id, tmp_path)}
            folder = ran.results.folder_of(ran.follower.of(asked.title))
            assert fetched == {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_request_is_one_trace_from_its_submission_to_its_mail(ran: Ran) -> None:
    kept = ran.spans
    traces = [asked.request.request_id.hex for asked in ASKED]
    until = time.monotonic() + 20
    while any(faults(kept.of(trace)) for trace in traces) and time.monotonic() < until:
        time.sleep(0.1)  # the last handler's span ends, and is sent off, a moment after what it said was heard
    assert [fault for trace in traces for fault in faults(kept.of(trace))] == []
    spans = kept.of(DELIVERED[0].request.request_id.hex)
    assert [span.name for span in spans if span.parent is None] == ["publish request.submitted"]
    handled = [span.name for span in spans if span.kind is SpanKind.CONSUMER]
    for topic in WAY:
        assert f"process {topic}" in handled
    blocks = sum(len(session.blocks) for session in metadata_demo.MOUS.sessions)
    # An order may be handled several times: who finds another at work on the same block looks again later.
    assert len({message_of(span) for span in spans if span.name == "process restore.ordered"}) == blocks
    called = {span.name for trace in traces for span in kept.of(trace) if span.kind is SpanKind.CLIENT}
    # What several requests need is fetched for whichever comes first.
    assert called >= {"archive database", "NGAS RETRIEVE", "object store put", "CASA", "mail"}, called


@pytest.mark.parametrize("ran", ["deployed"], indirect=True)
def test_every_service_of_its_own_process_has_its_part_in_a_delivered_request_s_trace(ran: Ran) -> None:
    recorded = {service_of(span) for asked in DELIVERED for span in ran.spans.of(asked.request.request_id.hex)}
    assert recorded >= set(BUILDERS), recorded


@pytest.mark.parametrize("ran", ["deployed"], indirect=True)
def test_both_casa_runners_of_the_deployment_restore(ran: Ran) -> None:
    assert len(ran.runners) == 2, ran.runners

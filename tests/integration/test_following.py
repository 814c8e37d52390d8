"""Who has no request desk asks and looks on over the bus, on a real broker."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from threading import Event as Flag
from threading import Thread
from uuid import uuid4

import pytest
from typer.testing import CliRunner, Result

from alma_restore.cli import app
from contracts.envelope import Event
from contracts.flow import QUEUES
from contracts.messages import RequestSubmitted
from shared.bus.rabbitmq import RabbitBus
from shared.bus.settings import RabbitSettings
from tests.support.rabbitmq import RabbitServer
from tests.support.samples import MOUS, REQUEST
from tests.support.stories import Story

ENDS = {"delivered": (Story.delivered, 0), "failed": (Story.not_restored, 1), "refused": (Story.refused, 1)}
SAID = {
    "delivered": "https://data.example.org/d/1",
    "failed": "failed (casa_failed)",
    "refused": "refused (not_entitled)",
}
SECONDS = 30.0


@pytest.fixture
def bus(rabbit_server: RabbitServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[RabbitBus]:
    """The services' side; the commands' environment names the same exchanges."""
    settings = {"url": rabbit_server.url, "prefix": f"test-{uuid4().hex[:8]}", "settle_time": 0}
    for name, value in settings.items():
        monkeypatch.setenv(f"ALMA_RESTORE_BUS__{name.upper()}", str(value))
    monkeypatch.setenv("COLUMNS", "250")
    monkeypatch.delenv("ALMA_RESTORE_DESK_URL", raising=False)
    bus = RabbitBus(settings=RabbitSettings.model_validate(settings))
    bus.declare(QUEUES)
    yield bus
    bus.close()


@contextmanager
def meanwhile(work: Callable[[Flag], None]) -> Iterator[None]:
    """Do something in another thread until the block ends."""
    ended = Flag()
    thread = Thread(target=work, args=(ended,))
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(SECONDS)


def told_again_and_again(bus: RabbitBus, events: Sequence[Event]) -> Callable[[Flag], None]:
    """Tell a story until somebody who began to listen at some time has heard it."""

    def tell(ended: Flag) -> None:
        while not ended.wait(0.3):
            bus.publish(events)

    return tell


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


@pytest.mark.parametrize("end", ENDS)
def test_watch_follows_a_request_to_its_end_and_says_by_its_exit_code_whether_it_was_delivered(
    bus: RabbitBus, end: str
) -> None:
    story = Story(request_id=uuid4())
    tell, code = ENDS[end]
    tell(story)
    other = Story(request_id=uuid4())
    other.refused()
    with meanwhile(told_again_and_again(bus, [*other.events, *story.events])):
        watched = run("watch", str(story.request.request_id))
    assert watched.exit_code == code, watched.output
    assert SAID[end] in watched.stdout
    assert str(story.request.request_id) in watched.stdout
    assert str(other.request.request_id) not in watched.stdout


@pytest.mark.parametrize("end", ENDS)
def test_submit_asks_and_with_watch_stays_until_all_have_ended(bus: RabbitBus, end: str) -> None:
    asked = Queue[Event]()
    stop = bus.listen(lambda event: asked.put(event) if isinstance(event.data, RequestSubmitted) else None)
    tell, code = ENDS[end]
    requests = list[RequestSubmitted]()

    def answer(_: Flag) -> None:
        for ending in (Story.delivered, tell):
            event = asked.get(timeout=SECONDS)
            assert isinstance(event.data, RequestSubmitted)
            requests.append(event.data)
            story = Story(request_id=event.data.request.request_id)
            ending(story)
            bus.publish(story.events[1:])

    person = ("--user", REQUEST.user_name, "--email", REQUEST.user_email)
    with meanwhile(answer):
        submitted = run("submit", REQUEST.project_code, MOUS, "uid://A001/X1/X2", "16140", *person, "--watch")
    stop()
    assert submitted.exit_code == code, submitted.output
    assert SAID[end] in submitted.stdout
    assert [said.request.mous_uid for said in requests] == [MOUS, "uid://A001/X1/X2"]
    assert all(str(said.request.request_id) in submitted.stdout for said in requests)


@pytest.mark.parametrize("form", [(), ("--json",)], ids=["a line for people", "a CloudEvent for programs"])
def test_events_are_shown_as_they_are_said_until_an_interrupt(bus: RabbitBus, form: tuple[str, ...]) -> None:
    story = Story(request_id=uuid4())
    story.refused()
    refused = story.events[1]
    command = [str(Path(sys.executable).with_name("alma-restore")), "events", *form]
    with (
        meanwhile(told_again_and_again(bus, [refused])),
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process,
    ):
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=SECONDS)
        finally:
            process.kill()
    assert (process.returncode, errors) == (0, "")
    if form:
        assert Event.decode(line.encode()) == refused
    else:
        assert all(word in line for word in ("request.refused", MOUS, "reason=not_entitled", "detail=proprietary"))

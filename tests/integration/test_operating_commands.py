"""Topology and dead letters by command, as an operator sees them, on a real broker."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from queue import Queue
from uuid import uuid4

import pika
import pytest
import structlog
from typer.testing import CliRunner, Result

from alma_restore.cli import app
from contracts.envelope import Event
from contracts.flow import QUEUES
from contracts.messages import RequestAccepted, RequestSubmitted
from contracts.messages.parts import Entitlement
from shared import keys
from shared.bus import Delivery, Subscription
from shared.bus.rabbitmq import RabbitBus
from shared.bus.settings import RabbitSettings
from shared.bus.topology import Names
from shared.errors import RestoreError
from shared.objects import DirectorySettings, open_store
from tests.support.rabbitmq import RabbitServer
from tests.support.samples import REQUEST

SECONDS = 15.0
SUBMITTED = Event.first(RequestSubmitted(request=REQUEST), source="/alma-restore/test")
QUEUE = "metadata-resolver"


class Site:
    """A deployment as the commands' environment describes it."""

    def __init__(self, server: RabbitServer, root: Path) -> None:
        self.settings = RabbitSettings.model_validate(
            {"url": server.url, "prefix": f"test-{uuid4().hex[:8]}", "settle_time": 0}
        )
        self.names = Names(self.settings.prefix)
        self.objects = open_store(DirectorySettings(root=root))
        self.bus = RabbitBus(settings=self.settings)
        self.environment = {
            "ALMA_RESTORE_BUS__URL": server.url,
            "ALMA_RESTORE_BUS__PREFIX": self.settings.prefix,
            "ALMA_RESTORE_BUS__SETTLE_TIME": "0",
            "ALMA_RESTORE_STORE__KIND": "directory",
            "ALMA_RESTORE_STORE__ROOT": str(root),
            "COLUMNS": "250",
        }

    def run(self, *arguments: str) -> Result:
        return CliRunner(env=self.environment).invoke(app, arguments)

    def bury(self) -> Event:
        """Let a service give an event up, and keep the traceback; returns the event."""
        event = SUBMITTED.derive(
            RequestAccepted(request=REQUEST, entitlement=Entitlement.PI), source="/test", key=str(uuid4())
        )

        def handler(event: Event, delivery: Delivery) -> Sequence[Event]:
            raise RestoreError("the tables disagree")

        def keep(event: Event, attempt: int, traceback: str) -> str:
            self.objects.put_bytes(keys.dead_letter(event.id, attempt), traceback.encode())
            return keys.dead_letter(event.id, attempt)

        with_handler = RabbitBus(settings=self.settings)
        with_handler.subscribe(Subscription(queue=QUEUE, topics=QUEUES[QUEUE], handler=handler, keep=keep))
        before = len(self.bus.dead_letters(QUEUE))
        with_handler.publish([event])
        while len(self.bus.dead_letters(QUEUE)) == before:
            pass
        with_handler.drain(SECONDS)
        with_handler.close()
        return event

    def close(self) -> None:
        self.bus.close()
        self.objects.close()


@pytest.fixture
def site(rabbit_server: RabbitServer, tmp_path: Path) -> Iterator[Site]:
    site = Site(rabbit_server, tmp_path / "objects")
    yield site
    site.close()
    structlog.reset_defaults()


def test_topology_is_checked_made_and_found_whole(site: Site) -> None:
    before = site.run("topology", "check")
    assert before.exit_code == 1
    assert f"{site.names.queue('casa-runner')} " in before.output
    assert "missing" in before.output
    assert before.output.count(f" {site.names.wait(1.0)} ") == 1
    assert site.run("topology", "check").exit_code == 1
    applied = site.run("topology", "apply")
    assert (applied.exit_code, f"made {site.names.dead('notifier')}" in applied.output) == (0, True)
    made = [line for line in applied.output.splitlines() if line.startswith("made ")]
    assert len(made) == len(set(made))
    assert f"; {len(made)} were made or removed" in applied.output
    after = site.run("topology", "check")
    assert (after.exit_code, after.output.splitlines()) == (
        0,
        [
            "bindings not compared: set ALMA_RESTORE_BUS__MANAGEMENT_URL to RabbitMQ's management plugin",
            "RabbitMQ has every exchange and queue as it should be",
        ],
    )


def test_a_queue_that_differs_is_shown_with_both_values_and_left_as_it_is(site: Site) -> None:
    site.run("topology", "apply")
    site.environment["ALMA_RESTORE_BUS__DELIVERY_LIMIT"] = "7"
    for command in ("check", "apply"):
        shown = site.run("topology", command)
        assert shown.exit_code == 1
        row = next(line for line in shown.output.splitlines() if site.names.queue("casa-runner") in line)
        assert [cell.strip() for cell in row.split("│")[2:5]] == ["x-delivery-limit", "20", "7"]


def test_a_dead_letter_is_listed_and_shown_with_its_traceback(site: Site) -> None:
    site.run("topology", "apply")
    assert site.run("dead-letters", "list").output.strip() == "no dead letters"
    event = site.bury()
    listed = site.run("dead-letters", "list").output
    assert all(text in listed for text in (str(event.id), QUEUE, "request.accepted", "the tables disagree"))
    shown = site.run("dead-letters", "show", str(event.id)[:10]).output
    assert "RestoreError: the tables disagree" in shown
    assert "Traceback (most recent call last)" in shown
    assert f'"id": "{event.id}"' in shown


def test_a_dead_letter_is_told_whole_on_a_terminal_of_80_columns(site: Site) -> None:
    site.run("topology", "apply")
    event = site.bury()
    site.environment["COLUMNS"] = "80"
    lines = site.run("dead-letters", "list").output.splitlines()
    assert lines[0] == f"{event.id}  {QUEUE}  request.accepted"
    assert lines[1] == f"    request {event.correlationid}"
    assert lines[2].startswith("    first failure 20")
    assert lines[2].endswith(" UTC, 1 try")
    assert lines[3].endswith(": the tables disagree")
    assert max(map(len, lines)) <= 80


def test_that_there_is_nothing_to_replay_or_drop_is_said(site: Site) -> None:
    site.run("topology", "apply")
    for command in (("replay", "--all"), ("drop", "--all", "--note", "noise")):
        done = site.run("dead-letters", *command)
        assert (done.exit_code, done.output.strip()) == (0, "no dead letters")


def test_a_dead_letter_is_replayed_with_its_own_id(site: Site) -> None:
    site.run("topology", "apply")
    event, other = site.bury(), site.bury()
    assert site.run("dead-letters", "replay", str(event.id)).output.strip() == f"{QUEUE}: 1 replayed"
    handled = Queue[tuple[Event, int]]()

    def handler(event: Event, delivery: Delivery) -> Sequence[Event]:
        handled.put((event, delivery.attempt))
        return ()

    site.bus.subscribe(Subscription(queue=QUEUE, topics=QUEUES[QUEUE], handler=handler))
    assert handled.get(timeout=SECONDS) == (event, 1)
    assert [each.key for each in site.bus.dead_letters(QUEUE)] == [str(other.id)]


def test_dead_letters_are_dropped_with_a_note_that_is_kept(site: Site) -> None:
    site.run("topology", "apply")
    event = site.bury()
    dropped = site.run("dead-letters", "drop", "--all", "--queue", QUEUE, "--note", "asked for twice")
    assert f"{QUEUE}: 1 dropped" in dropped.output
    assert site.bus.dead_letters(QUEUE) == ()
    record = site.objects.get(keys.dropped(str(event.id))).decode()
    assert "asked for twice" in record
    assert "the tables disagree" in record


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("replay",), "name dead letters by their keys, or say --all"),
        (("replay", "abc"), "no dead letter has the key abc"),
        (("list", "--queue", "casa"), "there is no service 'casa'; there are request-desk"),
        (("drop", "--all", "--note", " "), "say in --note why"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_a_sentence(site: Site, arguments: tuple[str, ...], complaint: str) -> None:
    site.run("topology", "apply")
    refused = site.run("dead-letters", *arguments)
    assert refused.exit_code == 2
    assert complaint in refused.output


def test_a_dead_letter_without_an_id_can_be_dropped_too(site: Site) -> None:
    site.run("topology", "apply")
    with pika.BlockingConnection(site.settings.parameters("test")) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.basic_publish("", site.names.dead(QUEUE), b"\xff no JSON")
    (letter,) = site.bus.dead_letters(QUEUE)
    assert "unreadable" in site.run("dead-letters", "list").output
    assert f"{QUEUE}: 1 dropped" in site.run("dead-letters", "drop", letter.key[:8], "--note", "noise").output

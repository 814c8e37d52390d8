"""Other programs ask for restores exactly as the how-to shows, over a real broker."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import pika
import pytest
from jsonschema import Draft202012Validator
from pydantic import SecretStr

from contracts.documents import FOLDER
from contracts.envelope import Event
from contracts.flow import QUEUES
from contracts.messages import RequestSubmitted
from services.request_desk.intake.trigger_file import read_trigger
from shared.bus import Delivery, RetryPolicy, Subscription
from shared.bus.rabbitmq import RabbitBus
from shared.bus.settings import RabbitSettings
from tests.contract.bus_harness import Collector
from tests.support.code_blocks import blocks_of
from tests.support.rabbitmq import RabbitServer

HOW_TO = (Path(__file__).parents[2] / "docs" / "submitting.md").read_text()
CHECKER = "entitlement-checker"
TICKET = "org.alma-restore.ticket.submitted.v1"
MOUS_UID = "uid://A001/X1284/X265f"
PERSON = {"project_code": "2017.1.00886.L", "user_name": "Vera Rubin", "user_email": "vera@example.org"}


def code_block(language: str) -> str:
    return next(block.text for block in blocks_of(HOW_TO) if block.language == language)


@pytest.fixture(scope="module")
def server(managed_rabbit: RabbitServer) -> RabbitServer:
    """A broker where nobody else uses the exchanges that a deployment has, since the how-to names them."""
    return managed_rabbit


@pytest.fixture(scope="module")
def bus(server: RabbitServer) -> Iterator[RabbitBus]:
    bus = RabbitBus(
        settings=RabbitSettings(url=SecretStr(server.url), settle_time=0.0),
        retry=RetryPolicy(delays=(0.1,), spread=(1.0,)),
    )
    bus.declare(QUEUES)
    yield bus
    bus.close()


@pytest.fixture(scope="module")
def asked(bus: RabbitBus) -> Collector[Event]:
    """What the entitlement checker would be asked."""
    collected = Collector[Event]()

    def handle(event: Event, _: Delivery) -> Sequence[Event]:
        collected(event)
        return []

    bus.subscribe(Subscription(queue=CHECKER, topics=QUEUES[CHECKER], handler=handle))
    return collected


def run(command: list[str], path: str = "") -> str:
    environment = {"PATH": f"{path}:{os.environ['PATH']}", "HOME": "/nonexistent", "LANG": "C.UTF-8"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_example_for_pika_asks_for_a_restore(server: RabbitServer, asked: Collector[Event], tmp_path: Path) -> None:
    before = len(asked.items)
    script = tmp_path / "ask.py"
    script.write_text(code_block("python"))
    run([sys.executable, str(script), server.url])
    event = asked.wait_for(before + 1)[-1]
    assert isinstance(event.data, RequestSubmitted)
    assert event.data.request.user_name == "Vera Rubin"
    assert len(code_block("python").strip().splitlines()) <= 15


def test_the_example_for_rabbitmqadmin_asks_for_a_restore(
    server: RabbitServer, asked: Collector[Event], tmp_path: Path
) -> None:
    """The tool is told by a configuration file where the broker is, so the example stands as it is."""
    tool = shutil.which("rabbitmqadmin")
    assert tool is not None, "rabbitmqadmin comes with Debian's package rabbitmq-server"
    wrapper = tmp_path / "rabbitmqadmin"
    wrapper.write_text(f'#!/bin/sh\nexec {tool} --host 127.0.0.1 --port {server.management_port} "$@"\n')
    wrapper.chmod(0o755)
    before = len(asked.items)
    assert "Message published" in run(["sh", "-c", code_block("sh")], path=str(tmp_path))
    event = asked.wait_for(before + 1)[-1]
    assert isinstance(event.data, RequestSubmitted)
    assert event.source == "/shell"


def test_the_example_of_a_trigger_file_can_be_read() -> None:
    request = read_trigger("trigger-uid___A001_X159a_X6b-2022-04-04T09-30-00.txt", code_block("text").encode())
    assert request.ticket == "12345"


class Sender:
    """A program that sends a message and waits for an answer on a queue of its own."""

    def __init__(self, server: RabbitServer) -> None:
        self._connection = pika.BlockingConnection(pika.URLParameters(server.url))
        self._channel = self._connection.channel()
        self._channel.confirm_delivery()
        self.queue = self._channel.queue_declare("", exclusive=True).method.queue

    def send(self, body: bytes, *, reply_to: str | None, correlation_id: str | None = None) -> str:
        message_id = str(uuid4())
        properties = pika.BasicProperties(
            reply_to=reply_to, message_id=message_id, correlation_id=correlation_id, delivery_mode=2
        )
        self._channel.basic_publish("alma-restore.events", "request.submitted", body, properties)
        return message_id

    def answer(self) -> tuple[pika.BasicProperties, dict[str, Any]]:
        for method, properties, body in self._channel.consume(self.queue, auto_ack=True, inactivity_timeout=15):
            self._channel.cancel()
            assert method is not None, "no answer came"
            assert properties is not None
            assert body is not None
            return properties, json.loads(body)
        raise AssertionError("no answer came")

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def sender(server: RabbitServer, asked: Collector[Event]) -> Iterator[Sender]:
    sender = Sender(server)
    yield sender
    sender.close()


def malformed() -> bytes:
    event = {
        "specversion": "1.0",
        "id": str(uuid4()),
        "source": "/test",
        "type": "org.alma-restore.request.submitted.v1",
        "data": {"request": {"request_id": str(uuid4()), "project_code": "2017", "ticket": 16140}},
    }
    return json.dumps(event).encode()


def dead(bus: RabbitBus, body: bytes) -> bool:
    return any(letter.body == body for letter in bus.dead_letters(CHECKER))


@pytest.mark.parametrize("correlation_id", [None, "my-own-id"])
def test_a_malformed_message_is_answered_with_where_and_what_to_do_and_kept(
    correlation_id: str | None, sender: Sender, bus: RabbitBus
) -> None:
    body = malformed()
    message_id = sender.send(body, reply_to=sender.queue, correlation_id=correlation_id)
    properties, answer = sender.answer()
    assert properties.correlation_id == (correlation_id or message_id)
    assert (properties.content_type, answer["type"]) == (
        "application/cloudevents+json",
        "org.alma-restore.message.malformed.v1",
    )
    schema = json.loads((FOLDER / "schemas" / f"{answer['type']}.json").read_text())
    Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(answer)
    assert "request.user_email: Field required" in answer["data"]["where"]
    assert "'2017' is not an ALMA project code" in answer["data"]["where"]
    assert "send it again" in answer["data"]["what_to_do"]
    (letter,) = [letter for letter in bus.dead_letters(CHECKER) if letter.body == body]
    assert (letter.code, letter.reason) == ("undecodable", answer["data"]["where"])


@pytest.mark.parametrize(
    "reply_to",
    [None, "a queue that is not there", "amq.rabbitmq.reply-to.g1hkA", "x" * 255, "alma-restore.notifier"],
    ids=["nobody", "no such queue", "no such consumer", "a long name", "one of our own queues"],
)
def test_who_cannot_be_answered_is_no_trouble_to_others(
    reply_to: str | None, sender: Sender, bus: RabbitBus, asked: Collector[Event]
) -> None:
    """The next sender is answered, so the consumer went on; and nothing came to a queue of ours."""
    body = malformed()
    sender.send(body, reply_to=reply_to)
    sender.send(malformed(), reply_to=sender.queue)
    sender.answer()
    assert dead(bus, body)
    assert bus.dead_letters("notifier") == ()


def test_a_message_with_another_routing_key_than_its_type_has_is_answered_with_the_right_one(
    sender: Sender, bus: RabbitBus, asked: Collector[Event]
) -> None:
    before = len(asked.items)
    ticket = {**json.loads(malformed())["data"]["request"], **PERSON, "ticket": "16140", "mous_uids": [MOUS_UID]}
    body = json.dumps({**json.loads(malformed()), "type": TICKET, "data": {"request": ticket}}).encode()
    sender.send(body, reply_to=sender.queue)
    _, answer = sender.answer()
    assert "publish it with the routing key ticket.submitted" in answer["data"]["where"]
    (letter,) = [letter for letter in bus.dead_letters(CHECKER) if letter.body == body]
    assert letter.code == "misaddressed"
    assert len(asked.items) == before


def submit(server: RabbitServer, *mous_uids: str) -> subprocess.CompletedProcess[str]:
    command = str(Path(sys.executable).with_name("alma-restore"))
    person = ("--user", "Vera Rubin", "--email", "vera@example.org")
    return subprocess.run(
        [command, "submit", "2017.1.00886.L", *mous_uids, "16140", *person],
        env={"PATH": os.environ["PATH"], "ALMA_RESTORE_BUS__URL": server.url, "ALMA_RESTORE_BUS__SETTLE_TIME": "0"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_i2_the_command_makes_a_request_of_each_mous_of_a_ticket(server: RabbitServer, asked: Collector[Event]) -> None:
    before = len(asked.items)
    result = submit(server, *(f"uid://A001/X1/X{number}" for number in range(10)))
    assert result.returncode == 0, result.stderr
    events = asked.wait_for(before + 10)[before:]
    assert {str(event.correlationid) for event in events} == set(result.stdout.split())
    assert {event.subject for event in events} == {f"uid://A001/X1/X{number}" for number in range(10)}
    assert len({event.id for event in events}) == 10


def test_i2_the_command_refuses_the_eleventh_with_the_whole_ticket(
    server: RabbitServer, asked: Collector[Event]
) -> None:
    before = len(asked.items)
    result = submit(server, *(f"uid://A001/X1/X{number:x}" for number in range(11)))
    assert result.returncode == 2
    assert "11 different MOUS UIDs" in result.stderr
    assert len(asked.items) == before

"""Exactly one mail per event and recipient, whatever is delivered again and whoever is killed."""

import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from threading import Condition
from typing import TypeVar
from uuid import UUID, uuid4

import pytest
from aiosmtpd.smtp import Envelope
from prometheus_client import CollectorRegistry

from contracts.envelope import Event
from contracts.flow import QUEUES
from contracts.messages import (
    MailSent,
    Message,
    RequestAccepted,
    RequestRefused,
    RequestSubmitted,
    RequestWaiting,
    TicketSubmitted,
)
from contracts.messages.parts import MailKind, RestoreRequest
from contracts.reasons import ReasonCode
from observatory.metadata import set_state
from observatory.metadata_demo import DELEGEE, MOUS, NOT_DELIVERED, PI, STRANGER
from observatory.metadata_entities import DemoAccount
from services.entitlement_checker.service import build as build_checker
from services.entitlement_checker.settings import EntitlementCheckerSettings
from services.notifier.service import build as build_notifier
from services.notifier.settings import SmtpSettings
from services.request_desk.intake.trigger_file import trigger_name
from services.request_desk.service import build as build_desk
from services.request_desk.settings import RequestDeskSettings
from shared.bus import Delivery, RetryPolicy, Subscription
from shared.bus.memory import MemoryBus
from shared.ends import find_end
from shared.metrics import ServiceMetrics
from shared.objects import ObjectStore
from shared.objects.directory import DirectoryStore
from shared.outcomes import Outcomes
from shared.request_text import write_request_text
from shared.runtime import Runtime
from shared.service import Service
from tests.integration.test_smtp_transport import OK, Mailbox, serving
from tests.support.archive_tables import ArchiveTables
from tests.support.killed_notifier import MOMENTS
from tests.support.samples import TICKET
from tests.unit.services.notifier.samples import EBS, failure, restored, settings

M = TypeVar("M", bound=Message)
RETRY = RetryPolicy(delays=(0.05,))
FAILS = "16666"
"""Ticket of requests that CASA cannot serve."""
LOSES_ITS_STATE = "16667"
"""Ticket of requests whose MOUS goes into QA3 while CASA runs."""


def message_id_of(envelope: Envelope) -> str:
    content = envelope.content
    assert isinstance(content, bytes)
    return str(message_from_bytes(content, policy=default)["Message-ID"])


class Restorer:
    """Stands for everything between acceptance and release: each block has an outcome, the last one concludes."""

    name = "metadata-resolver"

    def __init__(self, objects: ObjectStore, tables: ArchiveTables) -> None:
        self._objects = objects
        self._tables = tables

    def subscriptions(self) -> Sequence[Subscription]:
        return [Subscription(queue=self.name, topics=QUEUES[self.name], handler=self.handle, concurrency=2)]

    def handle(self, event: Event, _: Delivery) -> list[Event]:
        assert isinstance(event.data, RequestAccepted)
        request = event.data.request
        if request.ticket == LOSES_ITS_STATE:
            self._tables.change(lambda connection: set_state(connection, MOUS.uid, "QA3InProgress"))
        outcomes = Outcomes(objects=self._objects, source="/alma-restore/casa-runner")
        said: list[Event] = []
        for block in restored(self._objects):
            outcome = failure(self._objects, eb_uid=block.eb_uid) if request.ticket == FAILS else block
            said += outcomes.record(event, request, EBS, outcome)
        return said

    def is_ready(self) -> bool:
        return True

    def close(self) -> None:
        """Hold nothing."""


class Repeater:
    """Says every event twice more when it is first heard, and knows when all is quiet."""

    def __init__(self, bus: MemoryBus) -> None:
        self._bus = bus
        self._changed = Condition()
        self.heard: Counter[UUID] = Counter()
        self.events: dict[UUID, Event] = {}

    def __call__(self, event: Event) -> None:
        with self._changed:
            self.heard[event.id] += 1
            is_new = event.id not in self.events
            self.events[event.id] = event
            self._changed.notify_all()
        if is_new:
            self._bus.publish([event, event])

    def wait_until(self, condition: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(condition, 60), self.heard

    def wait_for_silence(self, seconds: float = 1.0) -> None:
        """Wait until nothing was said for a while that is longer than any retry waits."""
        with self._changed:
            while self._changed.wait(seconds):
                pass


@dataclass
class House:
    """Services on one bus and one store, with a mail server."""

    bus: MemoryBus
    objects: ObjectStore
    repeater: Repeater
    mailbox: Mailbox

    def of(self, kind: type[M]) -> list[M]:
        """Return what was said of a kind, each thing once."""
        said = (event.data for event in list(self.repeater.events.values()))
        return [data for data in said if isinstance(data, kind)]

    def sent(self) -> list[MailSent]:
        """Return what is said of mails."""
        return self.of(MailSent)

    def waits_for_the_mail_server(self) -> bool:
        """Whether a mail waits."""
        return any("come later" in waiting.cause for waiting in self.of(RequestWaiting))

    def letters(self) -> Counter[tuple[str, str]]:
        """Count what each recipient got, by Message-ID."""
        return Counter(
            (message_id_of(envelope), recipient) for envelope in self.mailbox.taken for recipient in envelope.rcpt_tos
        )


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with running(tmp_path) as house:
        yield house


@contextmanager
def running(folder: Path) -> Iterator[House]:
    mailbox, objects, bus = Mailbox(), DirectoryStore(folder / "objects"), MemoryBus(retry=RETRY)
    tables = ArchiveTables(folder)
    tables.fill()
    checker = EntitlementCheckerSettings(database=tables.settings())
    (folder / "triggers").mkdir()
    desk = RequestDeskSettings(triggers=folder / "triggers", settle_seconds=0.05, scan_seconds=0.2)
    with serving(mailbox) as port:
        mail = SmtpSettings(host="127.0.0.1", port=port, security="none", timeout_seconds=10)
        services: list[Service] = [
            build_desk(objects=objects, settings=desk),
            build_checker(objects=objects, settings=checker),
            Restorer(objects, tables),
            build_notifier(objects=objects, settings=settings(folder, mail=mail, concurrency=4)),
        ]
        repeater = Repeater(bus)
        bus.declare(QUEUES)
        bus.listen(repeater)
        runtime = Runtime(bus=bus, metrics=ServiceMetrics(CollectorRegistry()))
        for service in services:
            runtime.add(service)
        try:
            yield House(bus, objects, repeater, mailbox)
        finally:
            bus.drain(10)
            bus.close()
            for service in services:
                service.close()
            objects.close()
            tables.close()


def asked(account: DemoAccount, *, ticket: str = "16140", mous: str = MOUS.uid) -> RequestSubmitted:
    data = TICKET.model_dump(mode="json") | {"request_id": str(uuid4()), "mous_uid": mous, "ticket": ticket}
    data |= {"user_name": account.name, "user_email": account.email}
    return RequestSubmitted(request=RestoreRequest.model_validate(data))


def eleven() -> TicketSubmitted:
    data = TICKET.model_dump(mode="json") | {"mous_uids": [f"uid://A001/X1/X{number:x}" for number in range(11)]}
    return TicketSubmitted.model_validate({"request": data})


@pytest.mark.parametrize(
    ("message", "kind", "recipients"),
    [
        (asked(PI), MailKind.DELIVERED, 4),
        (asked(DELEGEE, ticket=FAILS), MailKind.FAILED, 2),
        (asked(PI, ticket=LOSES_ITS_STATE), MailKind.WITHHELD, 1),
        (asked(STRANGER), MailKind.REFUSED, 1),
        (asked(PI, mous=NOT_DELIVERED.uid), MailKind.REFUSED, 1),
        (eleven(), MailKind.REFUSED, 1),
    ],
    ids=["delivered", "failed", "withheld", "not entitled", "not delivered", "eleven MOUSs"],
)
def test_every_message_of_a_request_delivered_three_times_makes_one_mail_to_each_recipient(
    message: Message, kind: MailKind, recipients: int, house: House
) -> None:
    event = Event.first(message, source="/test")
    house.bus.publish([event])
    house.repeater.wait_until(lambda: bool(house.sent()))
    house.repeater.wait_for_silence()
    assert all(number >= 3 for number in house.repeater.heard.values())
    letters = house.letters()
    assert len(letters) == recipients
    assert set(letters.values()) == {1}
    (told,) = house.sent()
    assert (told.kind, told.recipients) == (kind, recipients)
    assert find_end(house.objects, told.request_id) is not None
    for queue in QUEUES:
        assert house.bus.dead_letters(queue) == ()


@pytest.mark.parametrize(
    ("account", "ticket", "kind"),
    [
        (PI, "16140", MailKind.DELIVERED),
        (PI, FAILS, MailKind.FAILED),
        (PI, LOSES_ITS_STATE, MailKind.WITHHELD),
        (STRANGER, "16140", MailKind.REFUSED),
    ],
    ids=["delivered", "failed", "withheld", "refused"],
)
def test_a_trigger_file_lies_there_until_its_mail_is_out(
    account: DemoAccount, ticket: str, kind: MailKind, house: House, tmp_path: Path
) -> None:
    path = tmp_path / "triggers" / trigger_name(MOUS.uid, datetime(2026, 1, 2, tzinfo=UTC))
    house.mailbox.sender = "451 4.3.0 come later"
    path.write_text(write_request_text(asked(account, ticket=ticket).request))
    house.repeater.wait_until(lambda: house.waits_for_the_mail_server())
    assert path.exists()
    assert house.sent() == []
    house.mailbox.sender = OK
    house.repeater.wait_until(lambda: bool(house.sent()))
    house.repeater.wait_for_silence()
    assert not path.exists()
    assert [sent.kind for sent in house.sent()] == [kind]
    assert set(house.letters().values()) == {1}


def test_of_two_triggers_for_the_same_data_the_second_is_answered_as_a_duplicate(house: House, tmp_path: Path) -> None:
    house.mailbox.sender = "451 4.3.0 come later"
    for second in (1, 2):
        name = trigger_name(MOUS.uid, datetime(2026, 1, 2, 3, 4, second, tzinfo=UTC))
        (tmp_path / "triggers" / name).write_text(write_request_text(asked(PI).request))
    house.repeater.wait_until(lambda: bool(house.of(RequestRefused)))
    house.mailbox.sender = OK
    house.repeater.wait_until(lambda: len(house.sent()) == 2)
    house.repeater.wait_for_silence()
    (refusal,) = house.of(RequestRefused)
    assert refusal.reason is ReasonCode.ALREADY_ACTIVE
    assert Counter(sent.kind for sent in house.sent()) == {MailKind.DELIVERED: 1, MailKind.REFUSED: 1}
    assert list((tmp_path / "triggers").iterdir()) == []


REFUSED = Event.first(RequestRefused(request=asked(PI).request, reason=ReasonCode.NOT_ENTITLED), source="/test")


def run_notifier(folder: Path, mail: dict[str, object], moment: str = "") -> int:
    """Let a process of its own handle the event; return its exit code."""
    path = folder / "event.json"
    path.write_bytes(REFUSED.encode())
    arguments = [str(folder / "objects"), json.dumps(mail), str(path), moment]
    command = [sys.executable, "-m", "tests.support.killed_notifier", *arguments]
    done = subprocess.run(command, timeout=60, check=False, capture_output=True, text=True)
    assert done.returncode in {0, -signal.SIGKILL}, done.stderr
    return done.returncode


@pytest.mark.parametrize(
    ("moment", "mails"),
    [("about to send", 1), ("sent and not recorded", 2), ("recorded and not ended", 1)],
)
def test_a_notifier_that_is_killed_sends_once_but_for_one_window(moment: str, mails: int, tmp_path: Path) -> None:
    """Killed between sending and recording it sends again, and the Message-ID tells that it is the same mail."""
    mailbox = Mailbox()
    with serving(mailbox) as port:
        mail: dict[str, object] = {"kind": "smtp", "host": "127.0.0.1", "port": port, "security": "none"}
        assert run_notifier(tmp_path, mail, moment) == -signal.SIGKILL
        for _ in range(2):
            assert run_notifier(tmp_path, mail) == 0
    ids = [message_id_of(one) for one in mailbox.taken]
    assert ids == [f"<{REFUSED.id}@restore.example.org>"] * mails
    assert find_end(DirectoryStore(tmp_path / "objects"), REFUSED.correlationid) is not None


@pytest.mark.parametrize("moment", MOMENTS)
def test_mails_in_a_directory_have_no_such_window(moment: str, tmp_path: Path) -> None:
    mail: dict[str, object] = {"kind": "directory", "folder": str(tmp_path / "mails")}
    assert run_notifier(tmp_path, mail, moment) == -signal.SIGKILL
    for _ in range(2):
        assert run_notifier(tmp_path, mail) == 0
    assert [path.name for path in (tmp_path / "mails").iterdir()] == [f"{REFUSED.id}@restore.example.org.eml"]

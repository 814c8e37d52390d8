"""The services that end requests, on one bus and one store, with a mail server; what is said is said three times."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from threading import Condition
from typing import TypeVar
from uuid import UUID, uuid4

from aiosmtpd.smtp import Envelope
from prometheus_client import CollectorRegistry

from contracts.envelope import Event
from contracts.flow import QUEUES
from contracts.messages import (
    MailSent,
    Message,
    RequestAccepted,
    RequestSubmitted,
    RequestWaiting,
    TicketSubmitted,
)
from contracts.messages.parts import RestoreRequest
from observatory.metadata import set_state
from observatory.metadata_demo import MOUS
from observatory.metadata_entities import DemoAccount
from services.entitlement_checker.service import build as build_checker
from services.entitlement_checker.settings import EntitlementCheckerSettings
from services.notifier.service import build as build_notifier
from services.notifier.settings import SmtpSettings
from services.request_desk.service import build as build_desk
from services.request_desk.settings import RequestDeskSettings
from shared.bus import Delivery, RetryPolicy, Subscription
from shared.bus.memory import MemoryBus
from shared.metrics import ServiceMetrics
from shared.objects import ObjectStore
from shared.objects.directory import DirectoryStore
from shared.outcomes import Outcomes
from shared.runtime import Runtime
from shared.service import Service
from tests.support.archive_tables import ArchiveTables
from tests.support.mail_server import Mailbox, serving
from tests.support.samples import TICKET
from tests.unit.services.notifier.samples import EBS, failure, restored, settings

M = TypeVar("M", bound=Message)
RETRY = RetryPolicy(delays=(0.05,))
FAILS = "16666"
"""Ticket of requests that CASA cannot serve."""
LOSES_ITS_STATE = "16667"
"""Ticket of requests whose MOUS goes into QA3 while CASA runs."""


def mail_in(envelope: Envelope) -> EmailMessage:
    content = envelope.content
    assert isinstance(content, bytes)
    return message_from_bytes(content, policy=default)


def message_id_of(envelope: Envelope) -> str:
    return str(mail_in(envelope)["Message-ID"])


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

"""One mail per thing said, and every recipient in the end."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from prometheus_client import CollectorRegistry

from contracts.messages.parts import MailKind
from services.notifier.mail import Mail
from services.notifier.metrics import MailMetrics
from services.notifier.outbox import Outbox
from services.notifier.transport import Handover, MailRefusedError, MailServerAwayError
from shared.objects import ObjectStore
from tests.unit.services.notifier.samples import EVENT_ID, now
from tests.unit.services.notifier.transport_contract import RECIPIENTS, a_mail

USER, CONTACT, SUPPORT = RECIPIENTS
KIND = MailKind.DELIVERED


@dataclass
class ScriptedTransport:
    """Answers as the script says, one answer for each mail, and remembers who was written to."""

    script: list[Handover | Exception]
    sent: list[tuple[str, ...]] = field(default_factory=list)

    def send(self, mail: Mail) -> Handover:
        answer = self.script.pop(0)
        if isinstance(answer, Exception):
            raise answer
        self.sent.append(mail.recipients)
        return answer

    def is_ready(self) -> bool:
        return True


@pytest.fixture
def outbox_with(objects: ObjectStore) -> Callable[[ScriptedTransport], Outbox]:
    return lambda transport: Outbox(
        objects=objects, transport=transport, clock=now, metrics=MailMetrics(CollectorRegistry())
    )


Make = Callable[[ScriptedTransport], Outbox]


def test_a_mail_goes_out_once_however_often_it_is_posted(outbox_with: Make) -> None:
    transport = ScriptedTransport([Handover()])
    records = [outbox_with(transport).post(EVENT_ID, a_mail, kind=KIND) for _ in range(3)]
    assert transport.sent == [RECIPIENTS]
    assert records[0] == records[1] == records[2]
    assert records[0].sent_to == RECIPIENTS


def test_a_mail_that_is_not_needed_is_not_written(outbox_with: Make) -> None:
    outbox = outbox_with(ScriptedTransport([Handover()]))
    outbox.post(EVENT_ID, a_mail, kind=KIND)
    outbox.post(EVENT_ID, lambda: pytest.fail("written again"), kind=KIND)


def test_a_mail_that_nobody_could_take_now_is_not_recorded_as_sent(outbox_with: Make) -> None:
    transport = ScriptedTransport([MailServerAwayError("away"), Handover()])
    with pytest.raises(MailServerAwayError):
        outbox_with(transport).post(EVENT_ID, a_mail, kind=KIND)
    outbox_with(transport).post(EVENT_ID, a_mail, kind=KIND)
    assert transport.sent == [RECIPIENTS]


def test_a_mail_that_is_refused_whole_is_remembered_and_tried_again_only_when_forgotten(outbox_with: Make) -> None:
    outbox = outbox_with(ScriptedTransport([MailRefusedError("554 never"), Handover()]))
    for _ in range(2):
        record = outbox.post(EVENT_ID, a_mail, kind=KIND)
        assert record.sent_to == ()
        assert record.refused == dict.fromkeys(RECIPIENTS, "554 never")
    outbox.forget(EVENT_ID)
    assert outbox.post(EVENT_ID, a_mail, kind=KIND).sent_to == RECIPIENTS


def test_only_who_was_put_off_is_tried_again(outbox_with: Make) -> None:
    transport = ScriptedTransport([Handover(deferred={CONTACT: "451 later"}), Handover()])
    with pytest.raises(MailServerAwayError, match="451 later") as raised:
        outbox_with(transport).post(EVENT_ID, a_mail, kind=KIND)
    assert raised.value.transient
    record = outbox_with(transport).post(EVENT_ID, a_mail, kind=KIND)
    assert transport.sent == [RECIPIENTS, (CONTACT,)]
    assert record.sent_to == (USER, SUPPORT, CONTACT)
    assert not record.deferred


def test_who_was_put_off_and_then_refused_is_remembered_as_refused(outbox_with: Make) -> None:
    first = Handover(deferred={CONTACT: "451 later"}, refused={USER: "550 unknown"})
    transport = ScriptedTransport([first, MailRefusedError("554 never")])
    with pytest.raises(MailServerAwayError):
        outbox_with(transport).post(EVENT_ID, a_mail, kind=KIND)
    record = outbox_with(transport).post(EVENT_ID, a_mail, kind=KIND)
    assert record.refused == {USER: "550 unknown", CONTACT: "554 never"}
    assert record.sent_to == (SUPPORT,)


def test_recipients_are_counted_once_by_what_became_of_them(objects: ObjectStore) -> None:
    registry = CollectorRegistry()
    answers: list[Handover | Exception] = [
        Handover(refused={USER: "no such user"}, deferred={CONTACT: "busy"}),
        Handover(),
    ]
    transport = ScriptedTransport(answers)
    outbox = Outbox(objects=objects, transport=transport, clock=now, metrics=MailMetrics(registry))
    with pytest.raises(MailServerAwayError):
        outbox.post(EVENT_ID, a_mail, kind=MailKind.FAILED)
    for _ in range(2):
        outbox.post(EVENT_ID, a_mail, kind=MailKind.FAILED)
    counted = {
        outcome: registry.get_sample_value("alma_restore_mails_total", {"kind": "failed", "outcome": outcome})
        for outcome in ("sent", "refused", "deferred")
    }
    assert counted == {"sent": 2, "refused": 1, "deferred": 1}

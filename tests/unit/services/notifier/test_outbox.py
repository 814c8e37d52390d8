"""One mail per thing said, and every recipient in the end."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from services.notifier.mail import Mail
from services.notifier.outbox import Outbox
from services.notifier.transport import Handover, MailRefusedError, MailServerAwayError
from shared.objects import ObjectStore
from tests.unit.services.notifier.samples import EVENT_ID, now
from tests.unit.services.notifier.transport_contract import RECIPIENTS, a_mail

USER, CONTACT, SUPPORT = RECIPIENTS


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
    return lambda transport: Outbox(objects=objects, transport=transport, clock=now)


Make = Callable[[ScriptedTransport], Outbox]


def test_a_mail_goes_out_once_however_often_it_is_posted(outbox_with: Make) -> None:
    transport = ScriptedTransport([Handover()])
    records = [outbox_with(transport).post(EVENT_ID, a_mail) for _ in range(3)]
    assert transport.sent == [RECIPIENTS]
    assert records[0] == records[1] == records[2]
    assert records[0].sent_to == RECIPIENTS


def test_a_mail_that_is_not_needed_is_not_written(outbox_with: Make) -> None:
    outbox = outbox_with(ScriptedTransport([Handover()]))
    outbox.post(EVENT_ID, a_mail)
    outbox.post(EVENT_ID, lambda: pytest.fail("written again"))


def test_a_mail_that_nobody_could_take_now_is_not_recorded_as_sent(outbox_with: Make) -> None:
    transport = ScriptedTransport([MailServerAwayError("away"), Handover()])
    with pytest.raises(MailServerAwayError):
        outbox_with(transport).post(EVENT_ID, a_mail)
    outbox_with(transport).post(EVENT_ID, a_mail)
    assert transport.sent == [RECIPIENTS]


def test_a_mail_that_is_refused_whole_is_remembered_and_tried_again_only_when_forgotten(outbox_with: Make) -> None:
    outbox = outbox_with(ScriptedTransport([MailRefusedError("554 never"), Handover()]))
    for _ in range(2):
        record = outbox.post(EVENT_ID, a_mail)
        assert record.sent_to == ()
        assert record.refused == dict.fromkeys(RECIPIENTS, "554 never")
    outbox.forget(EVENT_ID)
    assert outbox.post(EVENT_ID, a_mail).sent_to == RECIPIENTS


def test_only_who_was_put_off_is_tried_again(outbox_with: Make) -> None:
    transport = ScriptedTransport([Handover(deferred={CONTACT: "451 later"}), Handover()])
    with pytest.raises(MailServerAwayError, match="451 later") as raised:
        outbox_with(transport).post(EVENT_ID, a_mail)
    assert raised.value.transient
    record = outbox_with(transport).post(EVENT_ID, a_mail)
    assert transport.sent == [RECIPIENTS, (CONTACT,)]
    assert record.sent_to == (USER, SUPPORT, CONTACT)
    assert not record.deferred


def test_who_was_put_off_and_then_refused_is_remembered_as_refused(outbox_with: Make) -> None:
    first = Handover(deferred={CONTACT: "451 later"}, refused={USER: "550 unknown"})
    transport = ScriptedTransport([first, MailRefusedError("554 never")])
    with pytest.raises(MailServerAwayError):
        outbox_with(transport).post(EVENT_ID, a_mail)
    record = outbox_with(transport).post(EVENT_ID, a_mail)
    assert record.refused == {USER: "550 unknown", CONTACT: "554 never"}
    assert record.sent_to == (SUPPORT,)

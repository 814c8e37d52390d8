"""Who cannot be written to, and a mail server that is away: nothing of it is lost or said twice."""

from pathlib import Path

import pytest

from contracts.messages import (
    DeliveryExpiring,
    Message,
    MousRestorable,
    ReleaseGranted,
    RequestRefused,
)
from contracts.messages.parts import MailKind
from contracts.reasons import ReasonCode
from services.notifier.transport import MailRefusedError, MailServerAwayError
from shared.ends import find_end
from shared.objects import ObjectStore
from tests.unit.services.notifier.handling import (
    PickyTransport,
    announcement,
    granted,
    handle,
    mails_said,
    with_transport,
)
from tests.unit.services.notifier.mails import plain_text
from tests.unit.services.notifier.samples import EVENT_ID, NOW, REQUEST, event_of, restored


def test_a_requests_end_is_marked_after_its_mail_is_out(objects: ObjectStore, tmp_path: Path) -> None:
    transport = PickyTransport(set())
    notifier = with_transport(transport, objects, tmp_path)
    transport.away = True
    with pytest.raises(MailServerAwayError):
        handle(notifier, granted(objects))
    assert find_end(objects, REQUEST.request_id) is None
    transport.away = False
    handle(notifier, granted(objects))
    end = find_end(objects, REQUEST.request_id)
    assert end is not None
    assert (end.kind, end.mail_id) == (MailKind.DELIVERED, EVENT_ID)


REMINDERS: dict[str, tuple[Message, MailKind]] = {
    "expiring": (
        DeliveryExpiring(request=REQUEST, address="https://x.example.org/1", files=(), expires=NOW),
        MailKind.EXPIRING,
    ),
    "restorable": (MousRestorable(request=REQUEST, since=NOW), MailKind.RESTORABLE),
}


@pytest.mark.parametrize(("message", "kind"), REMINDERS.values(), ids=REMINDERS)
def test_what_is_told_after_the_end_is_told_once_and_is_no_end_itself(
    message: Message, kind: MailKind, objects: ObjectStore, tmp_path: Path
) -> None:
    transport = PickyTransport({"contact@example.org"})
    notifier = with_transport(transport, objects, tmp_path)
    for _ in range(2):
        sent, notice = mails_said(handle(notifier, event_of(message)))
    assert (sent.kind, sent.refused, notice.kind) == (kind, 1, MailKind.UNDELIVERED)
    assert [mail.message["To"] for mail in transport.taken] == ["vera@example.org", "support@example.org"]
    assert find_end(objects, REQUEST.request_id) is None


def test_support_is_told_once_who_was_refused(objects: ObjectStore, tmp_path: Path) -> None:
    transport = PickyTransport({"vera@example.org"})
    notifier = with_transport(transport, objects, tmp_path)
    event = granted(objects)
    for _ in range(2):
        announcement(handle(notifier, event))
    success, notice = transport.taken
    assert success.mail_id == EVENT_ID
    assert notice.recipients == ("support@example.org",)
    assert "vera@example.org\n        550 unknown" in plain_text(notice.message)


def test_a_delivery_stands_even_if_support_cannot_be_told_who_was_refused(objects: ObjectStore, tmp_path: Path) -> None:
    transport = PickyTransport({"vera@example.org", "support@example.org"})
    announcement(handle(with_transport(transport, objects, tmp_path), granted(objects)))
    assert [mail.mail_id for mail in transport.taken] == [EVENT_ID]


def test_a_mail_that_every_server_refuses_is_told_to_support_and_the_request_has_ended(
    objects: ObjectStore, tmp_path: Path
) -> None:
    transport = PickyTransport({"contact@example.org", "colleague@example.org"})
    event = event_of(RequestRefused(request=REQUEST, reason=ReasonCode.NOT_ENTITLED))
    for _ in range(2):
        lost, notice = mails_said(handle(with_transport(transport, objects, tmp_path), event))
    assert (lost.kind, lost.recipients, lost.refused) == (MailKind.REFUSED, 0, 2)
    assert (notice.kind, notice.recipients) == (MailKind.UNDELIVERED, 1)
    (mail,) = transport.taken
    assert mail.recipients == ("support@example.org",)
    assert "contact@example.org" in plain_text(mail.message)
    assert find_end(objects, REQUEST.request_id) is not None


def test_if_nobody_at_all_can_be_written_to_the_event_is_a_dead_letter_that_can_be_tried_again(
    objects: ObjectStore, tmp_path: Path
) -> None:
    transport = PickyTransport({"contact@example.org", "colleague@example.org", "support@example.org"})
    event = event_of(RequestRefused(request=REQUEST, reason=ReasonCode.NOT_ENTITLED))
    notifier = with_transport(transport, objects, tmp_path)
    with pytest.raises(MailRefusedError, match="not even support") as raised:
        handle(notifier, event)
    assert not raised.value.transient
    assert find_end(objects, REQUEST.request_id) is None
    transport.refused.clear()
    (said,) = mails_said(handle(notifier, event))
    assert (said.recipients, said.refused) == (2, 0)


@pytest.mark.parametrize("address", ["a,b@example.org", "vera@example.org>;x@y.org", "vera@ex(ample.org"])
def test_who_has_no_address_is_told_to_support_and_the_others_get_their_mail(
    address: str, objects: ObjectStore, tmp_path: Path
) -> None:
    transport = PickyTransport(set())
    request = REQUEST.model_copy(update={"user_email": address})
    event = event_of(ReleaseGranted(request=request, blocks=restored(objects)))
    announcement(handle(with_transport(transport, objects, tmp_path), event))
    success, notice = transport.taken
    assert success.message["To"] == "support@example.org"
    assert address not in success.recipients
    assert address in plain_text(notice.message)


def test_while_the_mail_server_is_away_nothing_is_announced_and_afterwards_the_address_is_the_same(
    objects: ObjectStore, tmp_path: Path
) -> None:
    transport = PickyTransport(set())
    notifier = with_transport(transport, objects, tmp_path)
    event = granted(objects)
    transport.away = True
    with pytest.raises(MailServerAwayError):
        handle(notifier, event)
    assert not notifier.is_ready()
    (shown,) = (tmp_path / "deliveries").iterdir()
    transport.away = False
    assert announcement(handle(notifier, event)).address.endswith(f"/{shown.name}")
    assert len(transport.taken) == 1

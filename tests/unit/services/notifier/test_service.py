"""The notifier from event to delivery and mail, and what a repeat does."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from uuid import UUID

import pytest

from contracts.envelope import Event
from contracts.flow import QUEUES
from contracts.messages import (
    DeliveryAnnounced,
    MailSent,
    Message,
    ProductsReady,
    ReleaseGranted,
    ReleaseWithheld,
    RequestCancelled,
    RequestFailed,
    RequestRefused,
    TicketRefused,
)
from contracts.messages.parts import BlockFailure, MailKind
from contracts.reasons import ReasonCode
from services.notifier.addresses import Addresses
from services.notifier.area import DirectoryArea
from services.notifier.mail import Mail
from services.notifier.provenance import UndeliverableFileError
from services.notifier.service import Notifier, build
from services.notifier.transport import Handover, MailRefusedError, MailServerAwayError
from shared import keys
from shared.cancellation import cancel
from shared.ends import find_end
from shared.objects import ObjectStore
from tests.support.delivery import RecordingDelivery
from tests.support.samples import TICKET
from tests.unit.services.notifier.samples import EBS, EVENT_ID, NOW, REQUEST, event_of, failure, now, restored, settings
from tests.unit.services.notifier.transport_contract import parsed


@pytest.fixture
def notifier(tmp_path: Path, objects: ObjectStore) -> Notifier:
    return build(objects=objects, settings=settings(tmp_path), clock=now)


def granted(objects: ObjectStore, *, reused: int = 0) -> Event:
    return event_of(ReleaseGranted(request=REQUEST, blocks=restored(objects, reused=reused)))


def handle(notifier: Notifier, event: Event) -> list[Event]:
    return notifier.handle(event, RecordingDelivery())


def announcement(events: list[Event]) -> DeliveryAnnounced:
    (found,) = (event.data for event in events if isinstance(event.data, DeliveryAnnounced))
    return found


def mails_said(events: list[Event]) -> list[MailSent]:
    return [event.data for event in events if isinstance(event.data, MailSent)]


def text_of(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def mails(folder: Path) -> list[Path]:
    return list((folder / "mails").glob("*.eml"))


def test_it_listens_to_the_ends_of_requests(notifier: Notifier) -> None:
    (subscription,) = notifier.subscriptions()
    assert (subscription.queue, subscription.topics) == ("notifier", QUEUES["notifier"])


def test_a_granted_release_is_laid_out_mailed_and_announced(
    notifier: Notifier, objects: ObjectStore, tmp_path: Path
) -> None:
    event = granted(objects)
    told = announcement(handle(notifier, event))
    token = told.address.rpartition("/")[2]
    assert re.fullmatch(r"[0-9a-f]{32}", token)
    assert told.address == f"http://almascience.example.org/arcdistribution/preview/{token}"
    assert isinstance(event.data, ReleaseGranted)
    assert [(file.name, file.size, file.sha256) for file in told.files] == [
        (block.file_name, block.tar.size, block.tar.sha256) for block in event.data.blocks
    ]
    assert told.expires == NOW + timedelta(days=28)
    assert not told.reused
    assert {path.name for path in (tmp_path / "deliveries" / token).iterdir()} == {
        *(file.name for file in told.files),
        "README.txt",
        "SHA256SUMS",
        "provenance.json",
    }
    (path,) = mails(tmp_path)
    mail = parsed(path.read_bytes())
    assert mail["To"] == "vera@example.org"
    assert mail["Bcc"] == "contact@example.org, colleague@example.org, support@example.org, operations@example.org"
    assert mail["Reply-To"] == "no-reply@example.org"
    assert told.address in text_of(mail)


def test_it_is_announced_as_reused_only_if_every_block_existed(notifier: Notifier, objects: ObjectStore) -> None:
    assert not announcement(handle(notifier, granted(objects, reused=3))).reused
    assert announcement(handle(notifier, granted(objects, reused=4))).reused


def test_a_repeat_by_another_process_tells_the_same_and_mails_nothing(objects: ObjectStore, tmp_path: Path) -> None:
    def later() -> datetime:
        return NOW + timedelta(days=1)

    event = granted(objects)
    first = handle(build(objects=objects, settings=settings(tmp_path), clock=now), event)
    (tmp_path / "mails").rename(tmp_path / "first")
    again = handle(build(objects=objects, settings=settings(tmp_path), clock=later), event)
    assert [one.id for one in again] == [one.id for one in first]
    assert announcement(again) == announcement(first)
    assert mails(tmp_path) == []
    assert len(list((tmp_path / "deliveries").iterdir())) == 1


def test_a_process_killed_before_it_could_record_the_mail_writes_no_second_one(
    notifier: Notifier, objects: ObjectStore, tmp_path: Path
) -> None:
    event = granted(objects)
    handle(notifier, event)
    objects.delete(keys.mail(event.id))
    handle(notifier, event)
    assert len(mails(tmp_path)) == 1


def test_requests_for_the_same_data_have_addresses_of_their_own(notifier: Notifier, objects: ObjectStore) -> None:
    blocks = restored(objects)
    other = REQUEST.model_copy(update={"request_id": UUID(int=7)})
    first = handle(notifier, event_of(ReleaseGranted(request=REQUEST, blocks=blocks)))
    second = handle(notifier, event_of(ReleaseGranted(request=other, blocks=blocks), event_id=UUID(int=8)))
    assert announcement(first).address != announcement(second).address


def test_a_retention_of_one_day_is_quoted(objects: ObjectStore, tmp_path: Path) -> None:
    notifier = build(objects=objects, settings=settings(tmp_path, retention_days=1), clock=now)
    assert announcement(handle(notifier, granted(objects))).expires == NOW + timedelta(days=1)
    assert b"It will be deleted 1 day from now." in mails(tmp_path)[0].read_bytes()


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda _: RequestRefused(request=REQUEST, reason=ReasonCode.NOT_ENTITLED), MailKind.REFUSED),
        (lambda _: ReleaseWithheld(request=REQUEST, reason=ReasonCode.NOT_ENTITLED), MailKind.WITHHELD),
        (lambda objects: RequestFailed(request=REQUEST, failures=(failure(objects),)), MailKind.FAILED),
        (lambda _: TicketRefused(request=TICKET, reason=ReasonCode.TOO_MANY_MOUS), MailKind.REFUSED),
    ],
    ids=["refused", "withheld", "failed", "ticket refused"],
)
def test_a_request_that_is_not_served_gets_one_mail_and_nothing_is_shown(
    make: Callable[[ObjectStore], Message],
    kind: MailKind,
    notifier: Notifier,
    objects: ObjectStore,
    tmp_path: Path,
) -> None:
    first, again = (handle(notifier, event_of(make(objects))) for _ in range(2))
    assert [event.id for event in first] == [event.id for event in again]
    (said,) = mails_said(first)
    assert (said.kind, said.mail_id, said.refused) == (kind, EVENT_ID, 0)
    assert said.recipients > 0
    assert len(mails(tmp_path)) == 1
    assert not (tmp_path / "deliveries").exists()


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


def test_a_failure_is_told_with_the_whole_log(notifier: Notifier, objects: ObjectStore, tmp_path: Path) -> None:
    log = b"first line\n\xff not utf-8\n" + b"the last line\n"
    handle(notifier, event_of(RequestFailed(request=REQUEST, failures=(failure(objects, log=log),))))
    mail = parsed(mails(tmp_path)[0].read_bytes())
    assert (mail["To"], mail["Cc"]) == ("support@example.org", "operations@example.org")
    (attachment,) = mail.iter_attachments()
    assert attachment.get_filename() == f"{EBS[0].file_form}.log"
    assert attachment.get_payload(decode=True) == log


@pytest.mark.parametrize(
    "reason", [ReasonCode.FIELD_NOT_FOUND, ReasonCode.FIELD_IS_SCIENCE, ReasonCode.SELECTION_NOT_FOUND]
)
def test_what_cannot_be_had_as_it_was_asked_for_is_told_to_the_contact_too(
    notifier: Notifier, objects: ObjectStore, tmp_path: Path, reason: ReasonCode
) -> None:
    wrong: BlockFailure = failure(objects).model_copy(update={"reason": reason})
    handle(notifier, event_of(RequestFailed(request=REQUEST, failures=(wrong,))))
    assert parsed(mails(tmp_path)[0].read_bytes())["Cc"] == "operations@example.org, contact@example.org"


def test_of_a_cancelled_request_nothing_is_laid_out_mailed_or_said(
    notifier: Notifier, objects: ObjectStore, tmp_path: Path
) -> None:
    cancel(objects, RequestCancelled(request_id=REQUEST.request_id, mous_uid=REQUEST.mous_uid, by="vrubin"))
    assert handle(notifier, granted(objects)) == []
    assert mails(tmp_path) == []
    assert not list(tmp_path.glob("deliveries/*"))


def test_an_event_that_is_not_its_own_is_an_error(notifier: Notifier, objects: ObjectStore) -> None:
    with pytest.raises(TypeError, match=r"products\.ready"):
        handle(notifier, event_of(ProductsReady(request=REQUEST, blocks=restored(objects))))


@pytest.mark.parametrize("name", ["../x.tar", ".hidden.tar", "README.txt", "a b.tar", "x.tar;rm"])
def test_a_file_name_that_is_unfit_for_a_link_is_never_shown(
    name: str, notifier: Notifier, objects: ObjectStore, tmp_path: Path
) -> None:
    blocks = [block.model_copy(update={"file_name": name}) for block in restored(objects, ebs=EBS[:1])]
    with pytest.raises(UndeliverableFileError):
        handle(notifier, event_of(ReleaseGranted(request=REQUEST, blocks=tuple(blocks))))
    assert mails(tmp_path) == []
    assert not (tmp_path / "deliveries").exists()


class PickyTransport:
    """A mail server that refuses some addresses for good, and all mails while it is away."""

    def __init__(self, refused: set[str]) -> None:
        self.refused = refused
        self.away = False
        self.taken: list[Mail] = []

    def send(self, mail: Mail) -> Handover:
        if self.away:
            raise MailServerAwayError("away")
        refused = {one: "550 unknown" for one in mail.recipients if one in self.refused}
        if len(refused) == len(mail.recipients):
            raise MailRefusedError("nobody")
        self.taken.append(mail)
        return Handover(refused=refused)

    def is_ready(self) -> bool:
        return not self.away


def with_transport(transport: PickyTransport, objects: ObjectStore, folder: Path) -> Notifier:
    site = settings(folder)
    return Notifier(
        settings=site,
        objects=objects,
        area=DirectoryArea(root=folder / "deliveries", objects=objects),
        transport=transport,
        addresses=Addresses(
            objects=objects, public_url=site.public_url, retention=timedelta(days=28), clock=lambda: datetime.now(UTC)
        ),
        clock=lambda: datetime.now(UTC),
    )


def test_support_is_told_once_who_was_refused(objects: ObjectStore, tmp_path: Path) -> None:
    transport = PickyTransport({"vera@example.org"})
    notifier = with_transport(transport, objects, tmp_path)
    event = granted(objects)
    for _ in range(2):
        announcement(handle(notifier, event))
    success, notice = transport.taken
    assert success.mail_id == EVENT_ID
    assert notice.recipients == ("support@example.org",)
    assert "vera@example.org\n        550 unknown" in text_of(notice.message)


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
    assert "contact@example.org" in text_of(mail.message)
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
    assert address in text_of(notice.message)


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

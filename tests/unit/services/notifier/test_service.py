"""The notifier from event to delivery and mail, and what a repeat does."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import permutations
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from contracts.flow import LONG_WORK, QUEUES
from contracts.messages import (
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
from services.notifier.provenance import UndeliverableFileError
from services.notifier.service import Notifier, build
from services.notifier.transport import MailServerAwayError
from shared import keys
from shared.cancellation import cancel
from shared.ends import EndsOtherwiseError
from shared.objects import ObjectStore
from tests.support.samples import TICKET
from tests.unit.services.notifier.handling import (
    PickyTransport,
    announcement,
    granted,
    handle,
    mails,
    mails_said,
    with_transport,
)
from tests.unit.services.notifier.mails import plain_text
from tests.unit.services.notifier.samples import EBS, EVENT_ID, NOW, REQUEST, event_of, failure, now, restored, settings
from tests.unit.services.notifier.transport_contract import parsed


@pytest.fixture
def notifier(tmp_path: Path, objects: ObjectStore) -> Notifier:
    return build(objects=objects, settings=settings(tmp_path), clock=now)


def test_it_listens_to_the_ends_of_requests(notifier: Notifier) -> None:
    (subscription,) = notifier.subscriptions()
    assert (subscription.queue, subscription.topics) == ("notifier", QUEUES["notifier"])


def test_it_asks_for_the_time_that_a_delivery_takes_only_if_it_copies_deliveries_into_a_directory(
    tmp_path: Path, objects: ObjectStore
) -> None:
    wanted = settings(tmp_path).model_copy(update={"longest": 7200.0})
    (copying,) = build(objects=objects, settings=wanted, clock=now).subscriptions()
    referring = wanted.model_copy(update={"deliveries": None})
    (quick,) = build(objects=objects, settings=referring, clock=now).subscriptions()
    assert (copying.longest, quick.longest) == (7200.0, None)
    assert copying.queue in LONG_WORK


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
    assert told.address in plain_text(mail)


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


_ENDS: dict[str, Callable[[ObjectStore], Message]] = {
    "delivered": lambda objects: ReleaseGranted(request=REQUEST, blocks=restored(objects)),
    "refused": lambda _: RequestRefused(request=REQUEST, reason=ReasonCode.QA3_IN_PROGRESS),
    "withheld": lambda _: ReleaseWithheld(request=REQUEST, reason=ReasonCode.QA3_IN_PROGRESS),
    "failed": lambda objects: RequestFailed(request=REQUEST, failures=(failure(objects),)),
}


@pytest.mark.parametrize(("first", "second"), list(permutations(_ENDS, 2)))
def test_a_request_that_was_decided_twice_has_the_end_that_was_heard_first(
    first: str, second: str, notifier: Notifier, objects: ObjectStore, tmp_path: Path
) -> None:
    one, other = (event_of(_ENDS[which](objects)).model_copy(update={"id": uuid4()}) for which in (first, second))
    said = handle(notifier, one)
    told, shown = mails(tmp_path), list(tmp_path.glob("deliveries/*"))
    assert len(told) == 1
    assert handle(notifier, other) == []
    assert (mails(tmp_path), list(tmp_path.glob("deliveries/*"))) == (told, shown)
    assert [event.id for event in handle(notifier, one)] == [event.id for event in said]


def test_what_would_end_a_request_otherwise_waits_until_the_first_end_is_told(
    objects: ObjectStore, tmp_path: Path
) -> None:
    transport = PickyTransport(set())
    notifier = with_transport(transport, objects, tmp_path)
    one, other = (
        event_of(_ENDS[which](objects)).model_copy(update={"id": uuid4()}) for which in ("withheld", "refused")
    )
    transport.away = True
    with pytest.raises(MailServerAwayError):
        handle(notifier, one)
    transport.away = False
    with pytest.raises(EndsOtherwiseError, match=f"ends by event {one.id}, whose mail is not out"):
        handle(notifier, other)
    assert transport.taken == []
    handle(notifier, one)
    assert handle(notifier, other) == []
    assert len(transport.taken) == 1


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

"""Every kind of mail, and the README, against its golden file.

``UPDATE_GOLDENS=1 pytest tests/unit/services/notifier`` writes them anew; read the difference.
"""

import os
from collections.abc import Callable
from datetime import timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from html.parser import HTMLParser
from pathlib import Path

import pytest

from contracts.identifiers import SessionName
from contracts.manifests import ProductManifest
from contracts.messages import (
    DeliveryExpiring,
    Message,
    MousRestorable,
    ReleaseGranted,
    ReleaseWithheld,
    RequestFailed,
    RequestRefused,
    TicketRefused,
)
from contracts.messages.parts import NamedRef, RestoredBlock
from contracts.reasons import ReasonCode
from services.notifier.addresses import Addresses
from services.notifier.area import DirectoryArea
from services.notifier.mail_directory import DirectoryTransport
from services.notifier.outbox import MailRecord
from services.notifier.service import Notifier
from services.notifier.writer import Correspondents, MailWriter
from shared import keys
from shared.objects import ObjectStore
from tests.support.delivery import RecordingDelivery
from tests.support.samples import TICKET
from tests.unit.services.notifier.samples import (
    CALIBRATORS,
    EBS,
    EVENT_ID,
    NOW,
    REQUEST,
    TOKEN,
    event_of,
    expiring,
    failure,
    now,
    restored,
    settings,
)

GOLDENS = Path(__file__).parents[3] / "golden" / "mails"


def agree_with_golden(name: str, found: str) -> None:
    path = GOLDENS / name
    if os.environ.get("UPDATE_GOLDENS"):
        path.write_text(found)
    assert found == path.read_text()


def handled(message: Message, folder: Path, objects: ObjectStore) -> Path:
    """Let the service handle a message and return the folder of its mails."""
    site = settings(folder)
    notifier = Notifier(
        settings=site,
        objects=objects,
        area=DirectoryArea(root=folder / "deliveries", objects=objects),
        transport=DirectoryTransport(folder=folder / "mails"),
        addresses=Addresses(
            objects=objects,
            public_url=site.public_url,
            retention=timedelta(days=site.retention_days),
            clock=now,
            new_token=lambda: TOKEN,
        ),
        clock=now,
    )
    notifier.handle(event_of(message), RecordingDelivery())
    return folder / "mails"


def mail_text(folder: Path) -> str:
    (path,) = folder.glob("*.eml")
    assert path.name == f"{EVENT_ID}@restore.example.org.eml"
    return path.read_bytes().replace(b"\r\n", b"\n").decode()


MESSAGES: dict[str, Callable[[ObjectStore], Message]] = {
    "delivered": lambda objects: ReleaseGranted(request=REQUEST, blocks=restored(objects)),
    "delivered_calibrators": lambda objects: ReleaseGranted(request=CALIBRATORS, blocks=restored(objects)),
    "delivered_all_reused": lambda objects: ReleaseGranted(request=REQUEST, blocks=restored(objects, reused=4)),
    "delivered_some_reused": lambda objects: ReleaseGranted(request=REQUEST, blocks=restored(objects, reused=2)),
    "failed": lambda objects: RequestFailed(
        request=CALIBRATORS,
        failures=(failure(objects), failure(objects, log=None, eb_uid=EBS[1])),
        restored=restored(objects, ebs=EBS[2:]),
    ),
    "withheld": lambda _: ReleaseWithheld(
        request=REQUEST, reason=ReasonCode.QA3_IN_PROGRESS, detail="state QA3InProgress since 2026-01-01"
    ),
    "refused_without_contact": lambda _: RequestRefused(
        request=REQUEST.model_copy(update={"contact_email": None, "cc": ()}), reason=ReasonCode.NOT_ENTITLED
    ),
    "ticket_refused": lambda _: TicketRefused(
        request=TICKET, reason=ReasonCode.TOO_MANY_MOUS, detail="it names 11 different MOUS UIDs"
    ),
    "expiring": expiring,
    "restorable": lambda _: MousRestorable(request=REQUEST, since=NOW - timedelta(days=40)),
    "refused_calibrators": lambda _: RequestRefused(request=CALIBRATORS, reason=ReasonCode.MOUS_NOT_DELIVERED),
}


@pytest.mark.parametrize("kind", MESSAGES)
def test_a_mail_is_worded_as_its_golden_file(kind: str, tmp_path: Path, objects: ObjectStore) -> None:
    agree_with_golden(f"{kind}.eml", mail_text(handled(MESSAGES[kind](objects), tmp_path, objects)))


REFUSALS = list(ReasonCode)[: list(ReasonCode).index(ReasonCode.TOO_MANY_MOUS)]


@pytest.mark.parametrize("reason", REFUSALS, ids=str)
def test_each_refusal_is_worded_as_its_golden_file(reason: ReasonCode, tmp_path: Path, objects: ObjectStore) -> None:
    refusal = RequestRefused(request=REQUEST, reason=reason, detail="what was found in the archive's tables")
    agree_with_golden(f"refused_{reason}.eml", mail_text(handled(refusal, tmp_path, objects)))


@pytest.mark.parametrize("reason", ReasonCode, ids=str)
def test_there_is_a_refusal_and_a_failure_mail_for_every_reason(
    reason: ReasonCode, tmp_path: Path, objects: ObjectStore
) -> None:
    failed = failure(objects).model_copy(update={"reason": reason})
    refusal = handled(RequestRefused(request=REQUEST, reason=reason), tmp_path / "refused", objects)
    assert f"X-ALMA-Restore-Reason: {reason}" in mail_text(refusal)
    objects.delete(next(objects.list("mails/")).key)
    failures = handled(RequestFailed(request=REQUEST, failures=(failed,)), tmp_path / "failed", objects)
    assert f"X-ALMA-Restore-Reason: {reason}" in mail_text(failures)


def test_the_notice_to_support_is_worded_as_its_golden_file() -> None:
    writer = MailWriter(
        people=Correspondents(
            sender="alma-restore@example.org",
            no_reply="no-reply@example.org",
            support="support@example.org",
            operations="operations@example.org",
            message_id_domain="restore.example.org",
            signature="The ESO ALMA Team",
        ),
        clock=now,
    )
    record = MailRecord(
        message_id=f"<{EVENT_ID}@restore.example.org>",
        sent_at=NOW,
        sent_to=("support@example.org",),
        refused={"vera@example.org": "550 5.1.1 no such user here"},
    )
    mail = writer.undelivered(
        event_of(ReleaseWithheld(request=REQUEST, reason=ReasonCode.NOT_ENTITLED)), REQUEST, record
    )
    agree_with_golden("undelivered.eml", mail.message.as_bytes().replace(b"\r\n", b"\n").decode())


def with_manifest(block: RestoredBlock, session: str, objects: ObjectStore) -> RestoredBlock:
    name = f"member.uid___A001_X1284_X265f.{SessionName(session)}.caltables.tgz"
    manifest = ProductManifest(
        mous_uid=REQUEST.mous_uid,
        restore_key=block.tar.key.split("/")[-3],
        block=block,
        asdm=block.ppr,
        products=(NamedRef(name=name, ref=block.ppr),),
    )
    folder = keys.product_folder(block.eb_uid, manifest.restore_key)
    objects.put_bytes(f"{folder}manifest.json", manifest.model_dump_json().encode())
    return block


def test_the_readme_tells_provenance_and_ways_to_download(tmp_path: Path, objects: ObjectStore) -> None:
    first, second, *_ = restored(objects, reused=1)
    blocks = (with_manifest(first, "session_1", objects), second)
    handled(ReleaseGranted(request=CALIBRATORS, blocks=blocks), tmp_path, objects)
    agree_with_golden("README.txt", (tmp_path / "deliveries" / TOKEN / "README.txt").read_text())
    agree_with_golden("provenance.json", (tmp_path / "deliveries" / TOKEN / "provenance.json").read_text())
    agree_with_golden("SHA256SUMS", (tmp_path / "deliveries" / TOKEN / "SHA256SUMS").read_text())


AS_THE_PROCEDURE_WORDS_IT = {
    "delivered.eml": """\
Your calibrated data is ready for download from
http://almascience.example.org/arcdistribution/preview/cdb386950af8ee148b3a9bc633942c6a

It will be deleted 28 days from now.

Kind regards,

The ESO ALMA Team
""",
    "refused_not_entitled.eml": "NOT ENTITLED\n",
    "refused_invalid_mous_uid.eml": "INVALID MOUS UID\n",
    "refused_mous_not_delivered.eml": "MOUS NOT DELIVERED\n",
    "refused_qa3_in_progress.eml": "MOUS NOT DELIVERED\n",
}
FOR_THE_USER = (
    "You presently do not have access permission for the requested data. Please wait until the data becomes public."
)
QUOTED_REQUEST = """\
> EU ARC contact contact@example.org
> CC email colleague@example.org
> ALMA: REQUEST FOR CALIBRATED DATA MOUS uid___A001_X1284_X265f
>
> Dear AOG,
> please create the calibrated MS for MOUS uid___A001_X1284_X265f
> project 2017.1.00886.L
> for user Vera Rubin
> email vera@example.org
> helpdesk ticket 16140
"""


def golden(name: str) -> EmailMessage:
    return message_from_bytes((GOLDENS / name).read_bytes(), policy=default)


def plain_text(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


@pytest.mark.parametrize("name", AS_THE_PROCEDURE_WORDS_IT)
def test_a_mail_begins_word_for_word_as_the_procedure_has_it(name: str) -> None:
    assert plain_text(golden(name)).startswith(AS_THE_PROCEDURE_WORDS_IT[name])


def test_a_reply_quotes_the_request_as_the_procedure_lays_it_out_and_gives_the_users_text() -> None:
    text = plain_text(golden("refused_not_entitled.eml"))
    assert text.endswith(QUOTED_REQUEST)
    assert FOR_THE_USER in " ".join(text.split())
    assert golden("refused_not_entitled.eml")["To"] == "contact@example.org"


def test_the_delivery_mail_is_addressed_as_the_procedure_has_it() -> None:
    mail = golden("delivered.eml")
    assert mail["To"] == "vera@example.org"
    for copied in ("contact@example.org", "support@example.org", "operations@example.org"):
        assert copied in mail["Bcc"]
    assert mail["Reply-To"] == "no-reply@example.org"
    assert mail["Subject"] == (
        "Re: ALMA: REQUEST FOR CALIBRATED DATA MOUS uid___A001_X1284_X265f, helpdesk ticket 16140"
    )


class TextOf(HTMLParser):
    """Collects the words of an HTML text, and its links."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.links: list[str | None] = []
        self.tags: set[str] = set()
        self.feed(html)

    def handle_data(self, data: str) -> None:
        self.words += data.split()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value for name, value in attrs if name == "href"]


@pytest.mark.parametrize("path", sorted(GOLDENS.glob("*.eml")), ids=lambda path: str(path.stem))
def test_the_html_part_says_the_same_words(path: Path) -> None:
    mail = golden(path.name)
    part = mail.get_body(("html",))
    assert part is not None
    plain = plain_text(mail).replace("\n> ", "\n").replace("\n>", "\n")
    assert TextOf(part.get_content()).words == plain.split()


HOSTILE = "x\r\nBcc: mallory@example.org\r\n\r\n<script>alert(1)</script>\u2028Cc: m@example.org"


@pytest.mark.parametrize("message", ["delivered", "failed", "withheld", "expiring", "refused_calibrators"])
def test_a_hostile_name_or_ticket_adds_no_recipient_no_header_no_line_and_no_html(
    message: str, tmp_path: Path, objects: ObjectStore
) -> None:
    harmless = MESSAGES[message](objects)
    assert isinstance(harmless, ReleaseGranted | RequestFailed | ReleaseWithheld | RequestRefused | DeliveryExpiring)
    request = harmless.request.model_copy(update={"user_name": HOSTILE, "ticket": HOSTILE})
    folder = handled(harmless.model_copy(update={"request": request}), tmp_path, objects)
    mail = message_from_bytes(mail_text(folder).encode(), policy=default)
    assert "mallory@example.org" not in f"{mail['To']} {mail['Cc']} {mail['Bcc']}"
    assert len(mail["Subject"].splitlines()) == 1
    assert set(mail.keys()) == set(golden(f"{message}.eml").keys())
    html = mail.get_body(("html",))
    assert html is not None
    assert "script" not in TextOf(html.get_content()).tags
    assert not any(line.startswith(("Bcc:", "> Bcc:", "Cc:", "> Cc:")) for line in plain_text(mail).splitlines())

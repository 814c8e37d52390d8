"""Every kind of mail, and the README, against its golden file.

``UPDATE_GOLDENS=1 pytest tests/unit/services/notifier`` writes them anew; read the difference.
"""

from pathlib import Path

import pytest

from contracts.identifiers import SessionName
from contracts.manifests import ProductManifest
from contracts.messages import (
    DeliveryExpiring,
    ReleaseGranted,
    RequestFailed,
    RequestRefused,
)
from contracts.messages.parts import DeliveredFile, NamedRef, RestoredBlock
from contracts.reasons import ReasonCode
from services.notifier.outbox import MailRecord
from shared import keys
from shared.objects import ObjectStore
from tests.unit.services.notifier.mails import (
    MESSAGES,
    agree_with_golden,
    handled,
    mail_text,
    plain_text,
    with_old_casa,
    writer,
)
from tests.unit.services.notifier.samples import (
    CALIBRATORS,
    EVENT_ID,
    NOW,
    REQUEST,
    TOKEN,
    event_of,
    failure,
    restored,
)


@pytest.mark.parametrize("kind", MESSAGES)
def test_a_mail_is_worded_as_its_golden_file(kind: str, tmp_path: Path, objects: ObjectStore) -> None:
    agree_with_golden(f"{kind}.eml", mail_text(handled(MESSAGES[kind](objects), tmp_path, objects)))


REFUSALS = list(ReasonCode)[: list(ReasonCode).index(ReasonCode.TOO_MANY_MOUS)]


@pytest.mark.parametrize("reason", REFUSALS, ids=str)
def test_each_refusal_is_worded_as_its_golden_file(reason: ReasonCode, tmp_path: Path, objects: ObjectStore) -> None:
    refusal = RequestRefused(request=REQUEST, reason=reason, detail="what was found in the archive's tables")
    agree_with_golden(f"refused_{reason}.eml", mail_text(handled(refusal, tmp_path, objects)))


@pytest.mark.parametrize("contact", ["contact@example.org", None])
def test_a_refusal_of_cycle_0_bothers_nobody_else(contact: str | None) -> None:
    request = REQUEST.model_copy(update={"contact_email": contact})
    refusal = RequestRefused(request=request, reason=ReasonCode.CYCLE_0)
    message = writer().refused(event_of(refusal), refusal).message
    assert (message["To"], message["Cc"]) == (contact or REQUEST.user_email, None)


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


@pytest.mark.parametrize(
    ("golden", "sent_to"), [("undelivered.eml", ("support@example.org",)), ("undelivered_to_all.eml", ())]
)
def test_the_notice_to_support_is_worded_as_its_golden_file(golden: str, sent_to: tuple[str, ...]) -> None:
    record = MailRecord(
        message_id=f"<{EVENT_ID}@restore.example.org>",
        sent_at=NOW,
        sent_to=sent_to,
        refused={"vera@example.org": "550 5.1.1 no such user here"},
    )
    refusal = RequestRefused(request=REQUEST, reason=ReasonCode.NOT_ENTITLED)
    event = event_of(refusal)
    mail = writer().undelivered(event, REQUEST, record, writer().refused(event, refusal))
    agree_with_golden(golden, mail.message.as_bytes().replace(b"\r\n", b"\n").decode())


@pytest.mark.parametrize(
    ("size", "words"),
    [(999, "999 B"), (999_960, "1.0 MB"), (2 * 10**12, "2.0 TB")],
)
def test_a_size_is_written_in_the_units_of_disks(size: int, words: str) -> None:
    file = DeliveredFile(name="x.tar", size=size, sha256="0" * 64)
    expiring = DeliveryExpiring(request=REQUEST, address="https://x.example.org/1", files=(file,), expires=NOW)
    assert f"x.tar  {words}\n" in plain_text(writer().expiring(event_of(expiring), expiring).message)


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
    blocks = (with_manifest(first, "session_1", objects), *with_old_casa([second]))
    handled(ReleaseGranted(request=CALIBRATORS, blocks=blocks), tmp_path, objects)
    agree_with_golden("README.txt", (tmp_path / "deliveries" / TOKEN / "README.txt").read_text())
    agree_with_golden("provenance.json", (tmp_path / "deliveries" / TOKEN / "provenance.json").read_text())
    agree_with_golden("SHA256SUMS", (tmp_path / "deliveries" / TOKEN / "SHA256SUMS").read_text())

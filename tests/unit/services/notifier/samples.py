"""Requests, results and settings for the tests of the notifier, with fixed ids and times."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

from contracts.envelope import Event
from contracts.identifiers import ExecBlockUid, MousUid, ProjectCode
from contracts.messages import DeliveryExpiring, Message
from contracts.messages.parts import BlockFailure, DeliveredFile, RestoredBlock, RestoreRequest, Selection, Stage
from contracts.reasons import ReasonCode
from services.notifier.settings import DirectoryMailSettings, MailSettings, NotifierSettings
from shared import keys
from shared.objects import ObjectStore

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
REQUEST_ID = UUID("11111111-1111-4111-8111-111111111111")
EVENT_ID = UUID("22222222-2222-4222-8222-222222222222")
TOKEN = "cdb386950af8ee148b3a9bc633942c6a"
EBS = tuple(
    ExecBlockUid(f"uid://A002/{rest}") for rest in ("Xc7111c/X3979", "Xc7111c/X409e", "Xc7111c/X86a7", "Xc72427/X2dfe")
)
FIELDS = ("J0510+1800", "J0423-0120", "J0321+1234", "HLX_Target")
REQUEST = RestoreRequest(
    request_id=REQUEST_ID,
    project_code=ProjectCode("2017.1.00886.L"),
    mous_uid=MousUid("uid://A001/X1284/X265f"),
    user_name="Vera Rubin",
    user_email="vera@example.org",
    ticket="16140",
    contact_email="contact@example.org",
    cc=("colleague@example.org",),
)
CALIBRATORS = REQUEST.model_copy(update={"selection": Selection(calibrator_fields=("J0510+1800", "J0321+1234"))})


def now() -> datetime:
    """Tell the time of the tests."""
    return NOW


def settings(folder: Path, *, mail: MailSettings | None = None, **changes: Any) -> NotifierSettings:
    """Make settings of a site whose directories are below a folder."""
    values: dict[str, Any] = {
        "deliveries": folder / "deliveries",
        "public_url": "http://almascience.example.org/arcdistribution/preview",
        "mail": mail or DirectoryMailSettings(folder=folder / "mails"),
        "sender": "alma-restore@example.org",
        "no_reply": "no-reply@example.org",
        "support": "support@example.org",
        "operations": "operations@example.org",
        "message_id_domain": "restore.example.org",
    }
    return NotifierSettings(**(values | changes))


def event_of(message: Message, *, event_id: UUID = EVENT_ID) -> Event:
    """Make the event that says a message."""
    return Event.first(message, source="/alma-restore/test", event_id=event_id)


def restored(objects: ObjectStore, *, ebs: Sequence[ExecBlockUid] = EBS, reused: int = 0) -> tuple[RestoredBlock, ...]:
    """Store a small tar and a PPR for each block and describe them; the first ``reused`` ones existed before."""
    return tuple(_block(objects, eb, number < reused) for number, eb in enumerate(ebs))


def _block(objects: ObjectStore, eb_uid: ExecBlockUid, reused: bool) -> RestoredBlock:
    restore_key = uuid5(REQUEST_ID, eb_uid).hex
    name = f"{eb_uid.file_form}.ms.split.cal.tar"
    folder = keys.product_folder(eb_uid, restore_key)
    tar = objects.put_bytes(f"{folder}attempt-1/{name}", f"tar of {eb_uid}".encode() * 50)
    ppr = objects.put_bytes(keys.ppr(eb_uid, restore_key, "PPR_uid___A001_X1284_X2660.xml"), b"<SciPipeRequest/>")
    return RestoredBlock(
        eb_uid=eb_uid,
        file_name=name,
        tar=tar,
        rows=1000,
        fields=FIELDS,
        casa_version="6.7.0.31",
        pipeline_version="2025.1.0.35",
        method="reference",
        ppr=ppr,
        reused=reused,
    )


def expiring(objects: ObjectStore) -> DeliveryExpiring:
    """Say that a delivery will be removed in a week."""
    return DeliveryExpiring(
        request=REQUEST,
        address=f"http://almascience.example.org/arcdistribution/preview/{TOKEN}",
        files=tuple(
            DeliveredFile(name=block.file_name, size=block.tar.size, sha256=block.tar.sha256)
            for block in restored(objects)
        ),
        expires=NOW + timedelta(days=7),
    )


def failure(
    objects: ObjectStore, *, log: bytes | None = b"CASA says\nno\n", eb_uid: ExecBlockUid = EBS[0]
) -> BlockFailure:
    """Describe a failed block, with its log stored."""
    stored = None if log is None else objects.put_bytes(keys.log(REQUEST_ID, eb_uid, "casa.log"), log)
    return BlockFailure(
        eb_uid=eb_uid,
        stage=Stage.FETCH,
        reason=ReasonCode.CHECKSUM_MISMATCH,
        detail="uid___A002_Xc7111c_X397b: expected crc32 582543640, got 1, from 127.0.0.1:7777 and 127.0.0.1:7778",
        log=stored,
        working_directory="node1:/scratch/WORK23486",
    )

"""A sample of every message, with fixed ids and times, for goldens and round trips."""

from datetime import UTC, datetime
from uuid import UUID

from contracts.identifiers import EntityUid, ExecBlockUid, MousUid, ProjectCode, SessionName
from contracts.messages import (
    ArtefactsStaged,
    DeliveryAnnounced,
    DeliveryExpired,
    DeliveryExpiring,
    DeliveryRenewed,
    FetchProgressed,
    MailSent,
    Message,
    MousRestorable,
    ProductsReady,
    ReleaseGranted,
    ReleaseWithheld,
    RequestAccepted,
    RequestCancelled,
    RequestFailed,
    RequestRefused,
    RequestResent,
    RequestSubmitted,
    RequestWaiting,
    RestoreCompleted,
    RestoreFailed,
    RestoreOrdered,
    RestoreProgressed,
    RestoreStarted,
    StructureResolved,
    TicketRefused,
    TicketSubmitted,
)
from contracts.messages.parts import (
    BlockFailure,
    CalibrationKind,
    CasaBasis,
    CasaChoice,
    DeliveredFile,
    Entitlement,
    LackingProduct,
    MailKind,
    MousStructure,
    NamedRef,
    ObjectRef,
    ProductFile,
    ProductKind,
    ProjectTree,
    RestoredBlock,
    RestoreRequest,
    RestoreTicket,
    Selection,
    Session,
    Stage,
)
from contracts.reasons import ReasonCode

WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
REQUEST_ID = UUID("11111111-1111-4111-8111-111111111111")
EVENT_ID = UUID("22222222-2222-4222-8222-222222222222")
EB = ExecBlockUid("uid://A002/Xc7111c/X3979")
MOUS = MousUid("uid://A001/X1284/X265f")

REQUEST = RestoreRequest(
    request_id=REQUEST_ID,
    project_code=ProjectCode("2017.1.00886.L"),
    mous_uid=MOUS,
    user_name="Vera Rubin",
    user_email="vera@example.org",
    user_account="vrubin",
    ticket="16140",
    selection=Selection(calibrator_fields=("J0510+1800", "J0321+1234")),
    contact_email="contact@example.org",
    cc=("colleague@example.org",),
)
TICKET = RestoreTicket(
    request_id=REQUEST_ID,
    project_code=ProjectCode("2017.1.00886.L"),
    mous_uids=(MOUS, MousUid("uid://A001/X12a3/X80e")),
    user_name="Vera Rubin",
    user_email="vera@example.org",
    ticket="16140",
    contact_email="contact@example.org",
)
STRUCTURE = MousStructure(
    mous_uid=MOUS,
    project_code=ProjectCode("2017.1.00886.L"),
    tree=ProjectTree(
        obs_project_uid=EntityUid("uid://A001/X1220/Xabc"),
        obs_unit_set_part_id="X644753181",
        project_status_uid=EntityUid("uid://A001/X1284/X2600"),
        sgous_uid=EntityUid("uid://A001/X1284/X265d"),
        gous_uid=EntityUid("uid://A001/X1284/X265e"),
        sched_block_uid=EntityUid("uid://A001/X1284/X2620"),
        sb_status_uid=EntityUid("uid://A001/X1284/X2660"),
    ),
    sessions=(
        Session(name=SessionName("session_1"), execution_blocks=(EB,)),
        Session(name=SessionName("session_2")),
    ),
    products=(
        ProductFile(
            file_id="member.uid___A001_X1284_X265f.session_1.caltables.tgz",
            kind=ProductKind.CALTABLES,
            session=SessionName("session_1"),
            size=4096,
        ),
    ),
    casa=CasaChoice(
        version="5.1.1-5",
        pipeline="r40896",
        image="casa-5.1.1-5-el7",
        build="el7",
        basis=CasaBasis.OBSERVED,
    ),
    notes=("2 calibrations are in the archive: the newest one is used",),
)


def ref(key: str) -> ObjectRef:
    """Refer to an object that need not exist."""
    return ObjectRef(key=key, size=10, sha256="a" * 64)


PPR = NamedRef(name="PPR_uid___A001_X1284_X2660.xml", ref=ref("ppr/x.xml"))
CALTABLES = NamedRef(name=STRUCTURE.products[0].file_id, ref=ref("calibration/x.tgz"))
LACKING = LackingProduct(
    name="uid___A001_X1284_X265f.session_1.caltables.tar.gz",
    reason=ReasonCode.FILE_NOT_IN_ARCHIVE,
    detail="uid___A001_X1284_X265f.session_1.caltables.tar.gz: not on 127.0.0.1:7777",
)
BLOCK = RestoredBlock(
    eb_uid=EB,
    file_name="uid___A002_Xc7111c_X3979.ms.split.cal.tar",
    tar=ref("products/x.tar"),
    rows=1000,
    fields=("J0510+1800", "J0321+1234"),
    casa_version="6.7.0.31",
    pipeline_version="2025.1.0.35",
    method="reference",
    ppr=PPR.ref,
)
FAILURE = BlockFailure(
    eb_uid=EB,
    stage=Stage.FETCH,
    reason=ReasonCode.CHECKSUM_MISMATCH,
    detail="uid___A002_Xc7111c_X1: expected crc32 1, got 2, from 127.0.0.1:7777",
    log=ref("logs/x.log"),
    working_directory="node1:/scratch/x",
)

SAMPLES: tuple[Message, ...] = (
    RequestSubmitted(request=REQUEST),
    TicketSubmitted(request=TICKET),
    TicketRefused(request=TICKET, reason=ReasonCode.TOO_MANY_MOUS, detail="11 MOUS UIDs"),
    RequestAccepted(request=REQUEST, entitlement=Entitlement.CALIBRATORS),
    RequestRefused(request=REQUEST, reason=ReasonCode.NOT_ENTITLED, detail="proprietary until 2027-01-01"),
    RequestWaiting(
        request_id=REQUEST_ID,
        mous_uid=MOUS,
        eb_uid=EB,
        service="ngas-fetcher",
        cause="dependency_away: no answer",
        attempt=2,
        next_attempt=WHEN,
    ),
    RequestCancelled(request_id=REQUEST_ID, mous_uid=MOUS, by="vrubin", reason="the wrong MOUS was asked for"),
    RequestResent(request_id=REQUEST_ID, mous_uid=MOUS, by="operator", reason="NGAS answers again", events=(EVENT_ID,)),
    StructureResolved(request=REQUEST, structure=STRUCTURE),
    FetchProgressed(
        request_id=REQUEST_ID,
        mous_uid=MOUS,
        eb_uid=EB,
        files_done=3,
        files_total=30,
        bytes_done=1000,
        bytes_total=7_000_000,
        rate=1_000_000.0,
        expected_end=WHEN,
    ),
    ArtefactsStaged(
        request=REQUEST,
        structure=STRUCTURE,
        eb_uid=EB,
        asdm=ref("asdm/x/manifest.json"),
        products=(CALTABLES,),
        lacking=(LACKING,),
    ),
    RestoreOrdered(
        request=REQUEST,
        structure=STRUCTURE,
        eb_uid=EB,
        session=SessionName("session_1"),
        asdm=ref("asdm/x/manifest.json"),
        products=(CALTABLES,),
        ppr=PPR,
        casa_version="6.7.0.31",
        pipeline_version="2025.1.0.35",
        casa=CasaChoice(
            version="6.7.0.31",
            image="casa-6.7",
            build="wheels",
            note="Old project, using RHEL5 build of CASA.",
            basis=CasaBasis.MANIFEST,
            parallel=False,
        ),
        calibration=CalibrationKind.PIPELINE,
        restore_key="0123456789abcdef" * 2,
    ),
    RestoreStarted(
        request_id=REQUEST_ID,
        mous_uid=MOUS,
        eb_uid=EB,
        runner="node1:4242",
        attempt=1,
        way="reference",
        why="applymode: line 3: calonly",
    ),
    RestoreProgressed(
        request_id=REQUEST_ID, mous_uid=MOUS, eb_uid=EB, step="applycal", percent=55.5, bytes_written=1_434_000_000
    ),
    RestoreCompleted(request=REQUEST, block=BLOCK),
    RestoreFailed(request=REQUEST, failure=FAILURE),
    ProductsReady(request=REQUEST, blocks=(BLOCK,)),
    RequestFailed(request=REQUEST, failures=(FAILURE,), restored=(BLOCK,)),
    ReleaseGranted(request=REQUEST, blocks=(BLOCK,)),
    ReleaseWithheld(request=REQUEST, reason=ReasonCode.QA3_IN_PROGRESS, detail="state QA3InProgress"),
    DeliveryAnnounced(
        request=REQUEST,
        address="https://data.example.org/deliveries/0123456789abcdef",
        files=(DeliveredFile(name=BLOCK.file_name, size=10, sha256="a" * 64),),
        expires=WHEN,
    ),
    DeliveryExpiring(
        request=REQUEST,
        address="https://data.example.org/deliveries/0123456789abcdef",
        files=(DeliveredFile(name=BLOCK.file_name, size=10, sha256="a" * 64),),
        expires=WHEN,
    ),
    DeliveryRenewed(request_id=REQUEST_ID, mous_uid=MOUS, expires=WHEN, by="vrubin"),
    DeliveryExpired(
        request_id=REQUEST_ID,
        mous_uid=MOUS,
        files=(DeliveredFile(name=BLOCK.file_name, size=10, sha256="a" * 64),),
        removed=(BLOCK.file_name,),
        freed=10,
    ),
    MousRestorable(request=REQUEST, since=WHEN),
    MailSent(request_id=REQUEST_ID, mous_uid=MOUS, kind=MailKind.DELIVERED, mail_id=EVENT_ID, recipients=4),
)

WAY = (
    "request.submitted",
    "request.accepted",
    "structure.resolved",
    "artefacts.staged",
    "restore.ordered",
    "products.ready",
    "release.granted",
)
"""The events of a request from hop to hop."""

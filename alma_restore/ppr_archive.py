"""Reads from the archive's database what a processing request is made of, without any service running."""

from dataclasses import dataclass
from uuid import uuid4

from sqlalchemy import select

from contracts.identifiers import EntityUid, MousUid, ProjectCode
from contracts.messages.parts import CalibrationKind, MousStructure, RestoreRequest
from contracts.reasons import ReasonCode
from services.metadata_resolver.facts import MousRecords
from services.metadata_resolver.ous_status import read_sessions
from services.metadata_resolver.records import ArchiveRecords
from services.metadata_resolver.resolve import NotRestorable, SessionsDisagree, resolve
from services.metadata_resolver.sessions import disagreement, number_sessions, sessions_from_tables
from services.metadata_resolver.settings import MetadataResolverSettings
from shared.archive_db import ArchiveDatabase
from shared.archive_db.tables import ASA_OUS, OBS_UNIT_SET_STATUS
from shared.casa_catalogue import open_catalogue
from shared.errors import RestoreError
from shared.pipeline_files.ppr import Kind


class UnusableMousError(RestoreError):
    """The archive's tables do not allow what is wanted of a MOUS; the text says why."""

    code = "mous_unusable"


@dataclass(frozen=True, kw_only=True)
class FoundMous:
    """A MOUS as the tables tell it.

    Attributes
    ----------
    request
        A request in nobody's name, by which the services' parts know what is meant.
    structure
        Its tree, sessions, execution blocks and products.
    status_documents
        The OUSStatus documents of its levels, as far as the tables have them.
    """

    request: RestoreRequest
    structure: MousStructure
    status_documents: dict[EntityUid, str]


def find_mous(mous_uid: MousUid, kind: Kind, settings: MetadataResolverSettings) -> FoundMous:
    """Read a MOUS from the database that the settings name.

    Raises
    ------
    UnusableMousError
        If there is no such MOUS, or its tables do not allow this kind of processing.
    DependencyAwayError
        If the database does not answer.
    """
    database = ArchiveDatabase(settings=settings.database)
    records = ArchiveRecords(database=database, product_dates_query=settings.product_dates_query)
    try:
        request = _request(mous_uid, _project_code(database, mous_uid))
        found = records.read(mous_uid)
        structure = _structure(request, found, kind, settings)
        tree = structure.tree
        levels = (tree.sgous_uid, tree.gous_uid, EntityUid(mous_uid))
        return FoundMous(request=request, structure=structure, status_documents=_status_documents(database, levels))
    finally:
        records.close()


def _project_code(database: ArchiveDatabase, mous_uid: MousUid) -> ProjectCode:
    statement = select(ASA_OUS.c.ASA_PROJECT_CODE).where(ASA_OUS.c.ASA_OUS_ID == mous_uid)
    with database.reading() as connection:
        code = connection.execute(statement).scalar()
    if code is None:
        raise UnusableMousError(f"ASA_OUS has no row for {mous_uid}: there is no such MOUS, or it was never delivered")
    return ProjectCode(code)


def _status_documents(database: ArchiveDatabase, levels: tuple[EntityUid, ...]) -> dict[EntityUid, str]:
    columns = OBS_UNIT_SET_STATUS.c
    statement = select(columns.STATUS_ENTITY_ID, columns.XML).where(columns.STATUS_ENTITY_ID.in_(levels))
    with database.reading() as connection:
        return {EntityUid(uid): text for uid, text in connection.execute(statement) if text}


def _structure(
    request: RestoreRequest, records: MousRecords, kind: Kind, settings: MetadataResolverSettings
) -> MousStructure:
    by_hand = settings.restore_manual or kind is Kind.IMPORT
    resolution = resolve(request, records, catalogue=open_catalogue(settings.catalogue), restore_manual=by_hand)
    match resolution:
        case MousStructure(calibration=CalibrationKind.MANUAL) if kind.needs_calibration:
            raise UnusableMousError(
                f"{request.mous_uid} was calibrated by hand, which no pipeline can restore: take --kind {Kind.IMPORT}"
            )
        case MousStructure():
            return resolution
        case NotRestorable(reason=ReasonCode.NOT_RESTORABLE_YET) if not kind.needs_calibration:
            return _uncalibrated(request, records)
        case NotRestorable(reason=reason, detail=detail):
            raise UnusableMousError(f"{request.mous_uid}: {reason.value}: {detail}")
        case SessionsDisagree(detail=detail):
            raise UnusableMousError(f"{request.mous_uid}: sessions and execution blocks disagree: {detail}")


def _uncalibrated(request: RestoreRequest, records: MousRecords) -> MousStructure:
    """Put together a MOUS without calibration products, which is enough for what begins with raw data."""
    passed = tuple(block.uid for block in records.blocks if block.passed_qa0)
    document = records.status_document
    stored = read_sessions(document, request.mous_uid) if document else sessions_from_tables(records.blocks)
    sessions = number_sessions(stored, passed)
    if fault := disagreement(sessions, passed):
        raise UnusableMousError(f"{request.mous_uid}: sessions and execution blocks disagree: {fault}")
    return MousStructure(
        mous_uid=request.mous_uid,
        project_code=request.project_code,
        tree=records.tree,
        sessions=sessions,
        products=(),
    )


def _request(mous_uid: MousUid, project_code: ProjectCode) -> RestoreRequest:
    return RestoreRequest(
        request_id=uuid4(),
        project_code=project_code,
        mous_uid=mous_uid,
        user_name="command line",
        user_email="command-line@localhost.invalid",
        ticket="none",
    )

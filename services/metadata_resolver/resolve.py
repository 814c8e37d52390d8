"""Put together what a MOUS consists of, or say why it cannot be restored; pure over the tables' records."""

from dataclasses import dataclass

from contracts.identifiers import ExecBlockUid
from contracts.messages.parts import CalibrationKind, MousStructure, ProductKind, RestoreRequest
from contracts.reasons import ReasonCode
from services.metadata_resolver.facts import MousRecords
from services.metadata_resolver.ous_status import read_sessions
from services.metadata_resolver.products import calibration_kind
from services.metadata_resolver.sessions import disagreement, number_sessions, sessions_from_tables


@dataclass(frozen=True)
class NotRestorable:
    """The MOUS cannot be restored: the user is refused."""

    reason: ReasonCode
    detail: str


@dataclass(frozen=True)
class SessionsDisagree:
    """Sessions and passed execution blocks contradict each other: support has to look."""

    blocks: tuple[ExecBlockUid, ...]
    detail: str


Resolution = MousStructure | NotRestorable | SessionsDisagree


def resolve(request: RestoreRequest, records: MousRecords) -> Resolution:
    """Resolve the structure of the MOUS that a request names.

    Raises
    ------
    OusStatusError
        If its status document cannot be read.
    """
    passed = tuple(block.uid for block in records.blocks if block.passed_qa0)
    if not passed:
        return NotRestorable(
            ReasonCode.NO_QA0_PASS, f"none of {len(records.blocks)} execution blocks has QA0 status Pass"
        )
    kinds = {product.kind for product in records.products}
    calibration = calibration_kind(kinds)
    if calibration is None or ProductKind.CALTABLES not in kinds:
        return NotRestorable(ReasonCode.NOT_RESTORABLE_YET, _no_caltables(calibration))
    stored = (
        read_sessions(records.status_document, request.mous_uid)
        if records.status_document
        else sessions_from_tables(records.blocks)
    )
    sessions = number_sessions(stored, passed)
    if fault := disagreement(sessions, passed):
        return SessionsDisagree(passed, fault)
    return MousStructure(
        mous_uid=request.mous_uid,
        project_code=request.project_code,
        tree=records.tree,
        sessions=sessions,
        products=records.products,
        calibration=calibration,
    )


def _no_caltables(calibration: CalibrationKind | None) -> str:
    if calibration is CalibrationKind.MANUAL:
        return "calibrated by hand: ASA_PRODUCT_FILES lists a calibration script and no calibration tables"
    return "ASA_PRODUCT_FILES lists no calibration tables"

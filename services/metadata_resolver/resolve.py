"""Put together what a MOUS consists of, or say why it cannot be restored; pure over the tables' records."""

from collections.abc import Sequence
from dataclasses import dataclass

from contracts.identifiers import ExecBlockUid, MousUid
from contracts.messages.parts import CalibrationKind, CasaChoice, MousStructure, ProductKind, RestoreRequest
from contracts.reasons import ReasonCode
from services.metadata_resolver.calibrations import Chosen, choose
from services.metadata_resolver.facts import ExecutionBlock, MousRecords
from services.metadata_resolver.ous_status import read_sessions
from services.metadata_resolver.products import calibration_kind
from services.metadata_resolver.sessions import (
    StoredSessions,
    disagreement,
    number_sessions,
    sessions_from_tables,
)
from shared.casa_catalogue import CasaCatalogue


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


def resolve(
    request: RestoreRequest, records: MousRecords, *, catalogue: CasaCatalogue, restore_manual: bool = False
) -> Resolution:
    """Resolve the structure of the MOUS that a request names.

    Parameters
    ----------
    request
        Names the MOUS.
    records
        What the tables hold of it.
    catalogue
        Tells which CASA was in operation when.
    restore_manual
        Whether calibrations by hand, which have scripts and no tables, can be restored.

    Raises
    ------
    OusStatusError
        If its status document cannot be read.
    """
    passed = [block for block in records.blocks if block.passed_qa0]
    if not passed:
        return NotRestorable(
            ReasonCode.NO_QA0_PASS, f"none of {len(records.blocks)} execution blocks has QA0 status Pass"
        )
    chosen = choose(records.products, records.product_dates)
    kinds = {product.kind for product in records.products}
    calibration = calibration_kind(kinds)
    if calibration is None or not (ProductKind.CALTABLES in kinds or restore_manual):
        return NotRestorable(ReasonCode.NOT_RESTORABLE_YET, _no_caltables(calibration))
    sessions = _sessions(request.mous_uid, records)
    uids = tuple(block.uid for block in passed)
    numbered = number_sessions(sessions, uids)
    if fault := disagreement(numbered, uids):
        return SessionsDisagree(uids, fault)
    return MousStructure(
        mous_uid=request.mous_uid,
        project_code=request.project_code,
        tree=records.tree,
        sessions=numbered,
        products=chosen.products,
        calibration=calibration,
        casa=_expected_casa(request, passed, chosen, catalogue),
        notes=chosen.notes,
    )


def _sessions(mous_uid: MousUid, records: MousRecords) -> StoredSessions:
    if records.status_document:
        return read_sessions(records.status_document, mous_uid)
    return sessions_from_tables(records.blocks)


def _expected_casa(
    request: RestoreRequest, passed: Sequence[ExecutionBlock], chosen: Chosen, catalogue: CasaCatalogue
) -> CasaChoice | None:
    observed = [block.start_time for block in passed if block.start_time is not None]
    return catalogue.expected(
        ingested=chosen.ingested and chosen.ingested.date(),
        observed=max(observed).date() if observed else None,
        project_code=request.project_code,
    )


def _no_caltables(calibration: CalibrationKind | None) -> str:
    if calibration is CalibrationKind.MANUAL:
        return "calibrated by hand: ASA_PRODUCT_FILES lists a calibration script and no calibration tables"
    return "ASA_PRODUCT_FILES lists no calibration tables"

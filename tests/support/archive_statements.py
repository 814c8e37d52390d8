"""Every statement that the services ask of the archive's tables, with values of the demo."""

from sqlalchemy import ClauseElement

from contracts.identifiers import EntityUid
from observatory.metadata_demo import MOUS, NOTHING_PASSED, PI
from services.entitlement_checker import statements as entitlement
from services.metadata_resolver import statements as structure
from shared.calibration_status import statements as status

_DELIVERY = f"{MOUS.project.code}_{MOUS.uid.file_form}"

STATEMENTS: dict[str, ClauseElement] = {
    "entitlement.mous": entitlement.mous(MOUS.uid),
    "entitlement.release_dates by name": entitlement.release_dates(_DELIVERY, column="DELIVERY_NAME"),
    "entitlement.release_dates by id": entitlement.release_dates(_DELIVERY, column="DELIVERY_ID"),
    "entitlement.accounts by account": entitlement.accounts(PI.account_id, PI.email),
    "entitlement.accounts by e-mail": entitlement.accounts(None, PI.email),
    "entitlement.principal_investigators": entitlement.principal_investigators(MOUS.project.code),
    "entitlement.delegees": entitlement.delegees(MOUS.project.code, query=None),
    "structure.unit": structure.unit(EntityUid(MOUS.uid)),
    "structure.status_document": structure.status_document(MOUS.uid),
    "structure.planned_unit": structure.planned_unit(MOUS.uid),
    "structure.scheduling_blocks": structure.scheduling_blocks(MOUS.uid),
    "structure.scheduling_block_title": structure.scheduling_block_title(MOUS.uid),
    "structure.execution_blocks": structure.execution_blocks(MOUS.uid),
    "structure.product_files": structure.product_files(MOUS.uid),
    "structure.product_dates": structure.product_dates(
        MOUS.uid,
        query='SELECT "NGAS_FILE_ID", \'2019\' FROM "ASA_PRODUCT_FILES" WHERE "ASA_OUS_ID" = :mous_uid ORDER BY 1',
    ),
    "status.mous_page first": status.mous_page("", size=3),
    "status.mous_page next": status.mous_page(MOUS.uid, size=3),
    "status.states": status.states([MOUS.uid, MOUS.gous_uid, NOTHING_PASSED.uid]),
    "status.products": status.products([MOUS.uid]),
    "status.deliveries": status.deliveries([_DELIVERY], column="DELIVERY_NAME"),
    "status.moved_dates": status.moved_dates(column="DELIVERY_NAME"),
    "status.changed_units": status.changed_units(0),
    "status.last_change": status.last_change(),
}
"""By name: ``<service>.<function>``, and how it is called where that makes a difference."""

MODULES = {"entitlement": entitlement, "structure": structure, "status": status}

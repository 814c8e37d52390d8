"""Every statement that the services ask of the archive's tables, with values of the demo."""

from sqlalchemy import ClauseElement

from contracts.identifiers import EntityUid
from observatory.metadata_demo import MOUS, NOTHING_PASSED, PI
from services.metadata_resolver import statements as structure
from shared.calibration_status import statements as status
from shared.entitlement import statements as entitlement

_DELIVERY = f"{MOUS.project.code}_{MOUS.uid.file_form}"
_PROJECT = {"project_code": MOUS.project.code}

STATEMENTS: dict[str, ClauseElement] = {
    "entitlement.mous": entitlement.mous().params(mous_uid=MOUS.uid),
    "entitlement.release_dates by name": entitlement.release_dates("DELIVERY_NAME").params(delivery=_DELIVERY),
    "entitlement.release_dates by id": entitlement.release_dates("DELIVERY_ID").params(delivery=_DELIVERY),
    "entitlement.accounts by account": entitlement.accounts(by_account=True).params(
        account=PI.account_id, email="nobody@example.org"
    ),
    "entitlement.accounts by e-mail": entitlement.accounts(by_account=False).params(email=PI.email.lower()),
    "entitlement.principal_investigators": entitlement.principal_investigators().params(_PROJECT),
    "entitlement.delegees": entitlement.delegees(None).params(_PROJECT),
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

"""What is asked of the archive's tables to decide on a request."""

from typing import Any, Literal

from sqlalchemy import Select, TextClause, bindparam, func, or_, select, text

from contracts.identifiers import MousUid
from shared.archive_db.statements import QA0_PASSED, execution_blocks_of
from shared.archive_db.tables import (
    ACCOUNT,
    ASA_DELIVERY_STATUS,
    BMMV_OBSPROJECT,
    BMMV_OBSPROPOSAL,
    OBS_UNIT_SET_STATUS,
    PROJECT_DELEGEE,
)


def mous(mous_uid: MousUid) -> Select[Any]:
    """Select state, project code, number of units below and number of QA0-passed blocks of a MOUS."""
    status, below = OBS_UNIT_SET_STATUS, OBS_UNIT_SET_STATUS.alias("BELOW")
    members = select(func.count()).select_from(below).where(below.c.PARENT_OBS_UNIT_SET_STATUS_ID == mous_uid)
    passed = select(func.count()).select_from(execution_blocks_of(mous_uid).where(QA0_PASSED).order_by(None).subquery())
    return (
        select(
            status.c.DOMAIN_ENTITY_STATE,
            BMMV_OBSPROJECT.c.CODE,
            members.scalar_subquery().label("MEMBERS"),
            passed.scalar_subquery().label("PASSED"),
        )
        .outerjoin(BMMV_OBSPROJECT, BMMV_OBSPROJECT.c.PRJ_ARCHIVE_UID == status.c.OBS_PROJECT_ID)
        .where(status.c.STATUS_ENTITY_ID == mous_uid)
    )


def release_dates(delivery: str, *, column: Literal["DELIVERY_NAME", "DELIVERY_ID"]) -> Select[Any]:
    """Select the release dates of a delivery, which is named ``<project code>_<MOUS UID as in file names>``."""
    return select(ASA_DELIVERY_STATUS.c.RELEASE_DATE).where(ASA_DELIVERY_STATUS.c[column] == delivery)


def accounts(account: str | None, email: str) -> Select[Any]:
    """Select the active accounts of this name or this address, in whatever case."""
    found = func.lower(ACCOUNT.c.EMAIL) == email.lower()
    if account is not None:
        found = or_(found, func.lower(ACCOUNT.c.ACCOUNT_ID) == account.lower())
    return select(ACCOUNT.c.ACCOUNT_ID, ACCOUNT.c.EMAIL).where(ACCOUNT.c.ACTIVE == "T", found)


def principal_investigators(project_code: str) -> Select[Any]:
    """Select the account ids of a project's PI."""
    return (
        select(BMMV_OBSPROPOSAL.c.PI_USERID)
        .join(BMMV_OBSPROJECT, BMMV_OBSPROJECT.c.PRJ_ARCHIVE_UID == BMMV_OBSPROPOSAL.c.PROJECTUID)
        .where(BMMV_OBSPROJECT.c.CODE == project_code)
    )


def delegees(project_code: str, *, query: str | None) -> Select[Any] | TextClause:
    """Select the account ids of a project's delegees, from our table or by the site's own query."""
    if query is not None:
        return text(query).bindparams(bindparam("project_code", project_code))
    return select(PROJECT_DELEGEE.c.ACCOUNT_ID).where(
        PROJECT_DELEGEE.c.PROJECT_CODE == project_code, PROJECT_DELEGEE.c.DELEGATION_TYPE == "DATA"
    )

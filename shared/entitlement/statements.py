"""What is asked of the archive's tables to decide on a request.

Each statement is made once and takes its values when it is executed: to make
one costs more than to run it.
"""

from functools import cache
from typing import Any, Literal

from sqlalchemy import Select, String, TextClause, bindparam, func, or_, select, text

from shared.archive_db.statements import QA0_PASSED, execution_blocks_of
from shared.archive_db.tables import (
    ACCOUNT,
    ASA_DELIVERY_STATUS,
    BMMV_OBSPROJECT,
    BMMV_OBSPROPOSAL,
    OBS_UNIT_SET_STATUS,
    PROJECT_DELEGEE,
)


@cache
def mous() -> Select[Any]:
    """Select state, project code, number of units below and number of QA0-passed blocks of ``:mous_uid``."""
    mous_uid = bindparam("mous_uid", type_=String)
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


@cache
def release_dates(column: Literal["DELIVERY_NAME", "DELIVERY_ID"]) -> Select[Any]:
    """Select the release dates of ``:delivery``, which is named ``<project code>_<MOUS UID as in file names>``."""
    return select(ASA_DELIVERY_STATUS.c.RELEASE_DATE).where(ASA_DELIVERY_STATUS.c[column] == bindparam("delivery"))


@cache
def accounts(*, by_account: bool) -> Select[Any]:
    """Select the active accounts of the address ``:email``, or named ``:account`` too; both are in lower case."""
    found = func.lower(ACCOUNT.c.EMAIL) == bindparam("email")
    if by_account:
        found = or_(found, func.lower(ACCOUNT.c.ACCOUNT_ID) == bindparam("account"))
    return select(ACCOUNT.c.ACCOUNT_ID, ACCOUNT.c.EMAIL).where(ACCOUNT.c.ACTIVE == "T", found)


@cache
def principal_investigators() -> Select[Any]:
    """Select the account ids of the PI of ``:project_code``."""
    return (
        select(BMMV_OBSPROPOSAL.c.PI_USERID)
        .join(BMMV_OBSPROJECT, BMMV_OBSPROJECT.c.PRJ_ARCHIVE_UID == BMMV_OBSPROPOSAL.c.PROJECTUID)
        .where(BMMV_OBSPROJECT.c.CODE == bindparam("project_code"))
    )


@cache
def delegees(query: str | None) -> Select[Any] | TextClause:
    """Select the account ids of the delegees of ``:project_code``, from our table or by the site's own query."""
    if query is not None:
        return text(query)
    return select(PROJECT_DELEGEE.c.ACCOUNT_ID).where(
        PROJECT_DELEGEE.c.PROJECT_CODE == bindparam("project_code"), PROJECT_DELEGEE.c.DELEGATION_TYPE == "DATA"
    )

"""What is asked of the archive's tables to know the calibration status of many MOUSs at once."""

from collections.abc import Sequence
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, case, func, or_, select

from shared.archive_db.tables import (
    ASA_DELIVERY_STATUS,
    ASA_PRODUCT_FILES,
    BMMV_OBSPROJECT,
    OBS_UNIT_SET_STATUS,
    SCHED_BLOCK_STATUS,
    STATE_CHANGES,
)

DeliveryColumn = Literal["DELIVERY_NAME", "DELIVERY_ID"]


def mous_page(after: str, *, size: int) -> Select[Any]:
    """Select the next MOUSs in order of their UIDs: units to which scheduling blocks belong."""
    parent = SCHED_BLOCK_STATUS.c.PARENT_OBS_UNIT_SET_STATUS_ID
    page = select(parent).where(parent.is_not(None)).distinct().order_by(parent).limit(size)
    # Oracle takes an empty text for NULL, with which nothing compares.
    return page.where(parent > after) if after else page


def states(mous_uids: Sequence[str]) -> Select[Any]:
    """Select state and project code of MOUSs; other units, to which no scheduling blocks belong, are left out."""
    status = OBS_UNIT_SET_STATUS.c
    with_blocks = select(SCHED_BLOCK_STATUS.c.PARENT_OBS_UNIT_SET_STATUS_ID).where(
        SCHED_BLOCK_STATUS.c.PARENT_OBS_UNIT_SET_STATUS_ID.in_(mous_uids)
    )
    return (
        select(status.STATUS_ENTITY_ID, status.DOMAIN_ENTITY_STATE, BMMV_OBSPROJECT.c.CODE)
        .outerjoin(BMMV_OBSPROJECT, BMMV_OBSPROJECT.c.PRJ_ARCHIVE_UID == status.OBS_PROJECT_ID)
        .where(status.STATUS_ENTITY_ID.in_(with_blocks))
    )


def products(mous_uids: Sequence[str]) -> Select[Any]:
    """Count files with calibration tables, pipeline manifests and calibration scripts of MOUSs."""
    name, mous = ASA_PRODUCT_FILES.c.NGAS_FILE_ID, ASA_PRODUCT_FILES.c.ASA_OUS_ID
    return (
        select(
            mous,
            _number(or_(name.like("%.caltables.tgz"), name.like("%.caltables.tar.gz"))).label("CALTABLES"),
            _number(name.like("%.pipeline_manifest.xml")).label("MANIFESTS"),
            _number(name.like("%scriptFor%Calibration.py")).label("SCRIPTS"),
        )
        .where(mous.in_(mous_uids))
        .group_by(mous)
    )


def deliveries(names: Sequence[str], *, column: DeliveryColumn) -> Select[Any]:
    """Select release dates of deliveries, the valid and the original ones."""
    columns = ASA_DELIVERY_STATUS.c
    name = columns[column]
    return select(name.label("NAME"), columns.RELEASE_DATE, columns.ORIGINAL_RELEASE_DATE).where(name.in_(names))


def moved_dates(*, column: DeliveryColumn) -> Select[Any]:
    """Select the deliveries whose release date is another than the original one."""
    columns = ASA_DELIVERY_STATUS.c
    moved = columns.RELEASE_DATE != columns.ORIGINAL_RELEASE_DATE
    taken = columns.RELEASE_DATE.is_(None) & columns.ORIGINAL_RELEASE_DATE.is_not(None)
    return select(columns[column].label("NAME"), columns.RELEASE_DATE).where(or_(moved, taken))


def changed_units(after: int) -> Select[Any]:
    """Select the ObsUnitSets whose state has changed since a number of changes ago."""
    columns = STATE_CHANGES.c
    return (
        select(columns.STATUS_ENTITY_ID)
        .where(columns.STATE_CHANGES_ID > after, columns.ENTITY_TYPE == "OUS")
        .distinct()
    )


def last_change() -> Select[Any]:
    """Select the number of the last change of state."""
    return select(func.max(STATE_CHANGES.c.STATE_CHANGES_ID))


def _number(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((condition, 1), else_=0))

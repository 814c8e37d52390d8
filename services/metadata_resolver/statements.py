"""What is asked of the archive's tables to know what a MOUS consists of."""

from typing import Any

from sqlalchemy import Select, TextClause, bindparam, func, select, text

from contracts.identifiers import EntityUid, MousUid
from shared.archive_db.statements import execution_blocks_of
from shared.archive_db.tables import (
    AQUA_OUS,
    AQUA_SESSION,
    AQUA_V_EXECBLOCK,
    ASA_PRODUCT_FILES,
    ASA_SCIENCE,
    BMMV_OBSUNITSET,
    OBS_UNIT_SET_STATUS,
    SCHED_BLOCK_STATUS,
)

READ = (
    ASA_SCIENCE,
    ASA_PRODUCT_FILES,
    OBS_UNIT_SET_STATUS,
    SCHED_BLOCK_STATUS,
    AQUA_OUS,
    AQUA_V_EXECBLOCK,
    AQUA_SESSION,
    BMMV_OBSUNITSET,
)
"""Tables that are asked."""


def unit(status_uid: EntityUid) -> Select[Any]:
    """Select an ObsUnitSet's parent, project and part id by its status UID."""
    columns = OBS_UNIT_SET_STATUS.c
    return select(
        columns.PARENT_OBS_UNIT_SET_STATUS_ID,
        columns.OBS_PROJECT_STATUS_ID,
        columns.OBS_PROJECT_ID,
        columns.DOMAIN_ENTITY_ID,
    ).where(columns.STATUS_ENTITY_ID == status_uid)


def status_document(mous_uid: MousUid) -> Select[Any]:
    """Select the OUSStatus document of a MOUS."""
    return select(OBS_UNIT_SET_STATUS.c.XML).where(OBS_UNIT_SET_STATUS.c.STATUS_ENTITY_ID == mous_uid)


def planned_unit(mous_uid: MousUid) -> Select[Any]:
    """Select ObsProject and part id of a MOUS, with the title that its PI gave it."""
    return (
        select(AQUA_OUS.c.OBSUNITSETUID, AQUA_OUS.c.OBSUNITSETPARTID, BMMV_OBSUNITSET.c.NAME)
        .outerjoin(
            BMMV_OBSUNITSET,
            (BMMV_OBSUNITSET.c.ARCHIVE_UID == AQUA_OUS.c.OBSUNITSETUID)
            & (BMMV_OBSUNITSET.c.PARTID == AQUA_OUS.c.OBSUNITSETPARTID),
        )
        .where(AQUA_OUS.c.OUS_STATUS_ENTITY_ID == mous_uid)
    )


def scheduling_blocks(mous_uid: MousUid) -> Select[Any]:
    """Select scheduling blocks of a MOUS with their status UIDs."""
    columns = SCHED_BLOCK_STATUS.c
    return (
        select(columns.DOMAIN_ENTITY_ID, columns.STATUS_ENTITY_ID)
        .where(columns.PARENT_OBS_UNIT_SET_STATUS_ID == mous_uid)
        .order_by(columns.STATUS_ENTITY_ID)
    )


def scheduling_block_title(mous_uid: MousUid) -> Select[Any]:
    """Select the name of the scheduling block, where the science table has rows of the MOUS."""
    return select(func.min(ASA_SCIENCE.c.SCHEDBLOCK_NAME)).where(ASA_SCIENCE.c.MEMBER_OUSS_ID == mous_uid)


def execution_blocks(mous_uid: MousUid) -> Select[Any]:
    """Select all execution blocks of a MOUS with the end of their sessions, oldest first."""
    blocks = execution_blocks_of(mous_uid)
    session = blocks.selected_columns.SESSIONID
    return blocks.add_columns(AQUA_SESSION.c.ENDTIME.label("SESSION_ENDTIME")).outerjoin(
        AQUA_SESSION, AQUA_SESSION.c.SESSIONID == session
    )


def product_files(mous_uid: MousUid) -> Select[Any]:
    """Select the product files of a MOUS; ``ASA_OUS_ID`` holds the MOUS UID."""
    columns = ASA_PRODUCT_FILES.c
    return (
        select(columns.NGAS_FILE_ID, columns.STORED_SIZE)
        .where(columns.ASA_OUS_ID == mous_uid)
        .order_by(columns.NGAS_FILE_ID)
    )


def product_dates(mous_uid: MousUid, *, query: str) -> TextClause:
    """Ask by the site's own query when product files of a MOUS came into the archive."""
    return text(query).bindparams(bindparam("mous_uid", str(mous_uid)))

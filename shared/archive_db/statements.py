"""Statements that more than one service asks of the archive's tables."""

from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Select, select

from contracts.identifiers import MousUid
from shared.archive_db.tables import AQUA_V_EXECBLOCK, SCHED_BLOCK_STATUS

QA0_PASS = "Pass"  # noqa: S105  # a verdict of QA0
"""Value of ``QA0STATUS`` for observations that passed quality level 0; ``SemiPass`` did not."""

QA0_PASSED: ColumnElement[bool] = AQUA_V_EXECBLOCK.c.QA0STATUS == QA0_PASS


def execution_blocks_of(mous_uid: MousUid | BindParameter[str]) -> Select[Any]:
    """Select all execution blocks of a MOUS, whatever became of them, oldest first.

    They are found by way of the scheduling blocks: ASA_SCIENCE misses some
    blocks and lists some under several MOUSs.
    """
    blocks, scheduling = AQUA_V_EXECBLOCK.c, SCHED_BLOCK_STATUS.c
    return (
        select(
            blocks.EXECBLOCKUID,
            blocks.SCHEDBLOCKUID,
            blocks.SESSIONID,
            blocks.QA0STATUS,
            blocks.STARTTIME,
            blocks.ENDTIME,
        )
        .where(
            blocks.SCHEDBLOCKUID.in_(
                select(scheduling.DOMAIN_ENTITY_ID).where(scheduling.PARENT_OBS_UNIT_SET_STATUS_ID == mous_uid)
            )
        )
        .order_by(blocks.STARTTIME.asc().nulls_last(), blocks.EXECBLOCKUID)
    )

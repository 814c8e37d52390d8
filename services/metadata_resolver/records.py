"""Where the structure of a MOUS comes from: the archive's database."""

from datetime import UTC, datetime
from typing import Any, ClassVar, Protocol

import structlog
from pydantic import ValidationError
from sqlalchemy import Connection, Select

from contracts.identifiers import EntityUid, ExecBlockUid, InvalidIdentifierError, MousUid
from contracts.messages.parts import ProductFile, ProjectTree
from services.metadata_resolver import statements
from services.metadata_resolver.facts import ExecutionBlock, MousRecords
from services.metadata_resolver.products import classify
from shared.archive_db import ArchiveDatabase
from shared.archive_db.statements import QA0_PASS
from shared.errors import RestoreError

log = structlog.get_logger()


class ArchiveInconsistentError(RestoreError):
    """The archive's tables contradict each other or lack a row; an operator has to look at them."""

    code: ClassVar[str] = "archive_inconsistent"


class StructureRecords(Protocol):
    """Knows what MOUSs consist of."""

    def read(self, mous_uid: MousUid) -> MousRecords:
        """Read all of a MOUS.

        Raises
        ------
        DependencyAwayError
            If the source does not answer.
        ArchiveInconsistentError
            If it lacks something that every MOUS has.
        """

    def is_ready(self) -> bool:
        """Whether the source answers right now."""

    def close(self) -> None:
        """Release connections."""


class ArchiveRecords:
    """Reads the structure of a MOUS from the archive's tables, by one connection."""

    def __init__(self, *, database: ArchiveDatabase, product_dates_query: str | None = None) -> None:
        self._database = database
        self._product_dates_query = product_dates_query

    def read(self, mous_uid: MousUid) -> MousRecords:
        """Read tree, execution blocks, status document and products of a MOUS."""
        with self._database.reading() as connection:
            try:
                blocks = _blocks(connection, mous_uid)
                return MousRecords(
                    tree=_tree(connection, mous_uid, blocks),
                    blocks=blocks,
                    status_document=connection.execute(statements.status_document(mous_uid)).scalar(),
                    products=_products(connection, mous_uid),
                    product_dates=self._product_dates(connection, mous_uid),
                )
            except (InvalidIdentifierError, ValidationError) as error:
                raise ArchiveInconsistentError(f"tables of {mous_uid}: {error}") from error

    def is_ready(self) -> bool:
        """Whether the database answers right now."""
        return self._database.is_ready()

    def close(self) -> None:
        """Release the connections."""
        self._database.close()

    def _product_dates(self, connection: Connection, mous_uid: MousUid) -> dict[str, datetime]:
        if self._product_dates_query is None:
            return {}
        rows = connection.execute(statements.product_dates(mous_uid, query=self._product_dates_query))
        return {file_id: date for file_id, found in rows if (date := _date(found)) is not None}


def _blocks(connection: Connection, mous_uid: MousUid) -> tuple[ExecutionBlock, ...]:
    return tuple(
        ExecutionBlock(
            uid=ExecBlockUid(row.EXECBLOCKUID),
            sched_block_uid=row.SCHEDBLOCKUID,
            session_id=row.SESSIONID,
            passed_qa0=row.QA0STATUS == QA0_PASS,
            start_time=_utc(row.STARTTIME),
            session_end_time=_utc(row.SESSION_ENDTIME),
        )
        for row in connection.execute(statements.execution_blocks(mous_uid))
    )


def _products(connection: Connection, mous_uid: MousUid) -> tuple[ProductFile, ...]:
    rows = connection.execute(statements.product_files(mous_uid)).all()
    classified = ((row, classify(row.NGAS_FILE_ID)) for row in rows)
    return tuple(
        ProductFile(
            file_id=row.NGAS_FILE_ID,
            kind=product.kind,
            session=product.session,
            eb_uid=product.eb_uid,
            size=row.STORED_SIZE,
        )
        for row, product in classified
        if product is not None
    )


def _tree(connection: Connection, mous_uid: MousUid, blocks: tuple[ExecutionBlock, ...]) -> ProjectTree:
    """Walk from the MOUS up to its Science Goal, and down to the scheduling block that was observed."""
    mous = _one(connection, statements.unit(mous_uid), f"OBS_UNIT_SET_STATUS has no row for {mous_uid}")
    gous_uid = _uid(mous.PARENT_OBS_UNIT_SET_STATUS_ID, f"{mous_uid} has no Group ObsUnitSet above it")
    gous = _one(connection, statements.unit(gous_uid), f"OBS_UNIT_SET_STATUS has no row for {gous_uid}")
    sgous_uid = _uid(gous.PARENT_OBS_UNIT_SET_STATUS_ID, f"{gous_uid} has no Science Goal ObsUnitSet above it")
    project_uid, part_id, title = _planned(connection, mous_uid, mous)
    sched_block_uid, sb_status_uid = _scheduling_block(connection, mous_uid, blocks)
    sched_block_title = connection.execute(statements.scheduling_block_title(mous_uid)).scalar()
    return ProjectTree(
        obs_project_uid=_uid(project_uid, f"{mous_uid} has no ObsProject"),
        obs_unit_set_part_id=part_id,
        obs_unit_set_title=title or "Undefined",
        project_status_uid=_uid(mous.OBS_PROJECT_STATUS_ID, f"{mous_uid} has no project status"),
        sgous_uid=sgous_uid,
        gous_uid=gous_uid,
        sched_block_uid=EntityUid(sched_block_uid),
        sb_status_uid=EntityUid(sb_status_uid),
        sched_block_title=sched_block_title or "Undefined",
    )


def _planned(connection: Connection, mous_uid: MousUid, mous: Any) -> tuple[str, str, str | None]:
    """Return ObsProject, part id and title; the status row has the first two as well."""
    row = connection.execute(statements.planned_unit(mous_uid)).first()
    if row is None:
        log.warning("aqua_ous_row_missing", consequence="project and part id are those of OBS_UNIT_SET_STATUS")
        return mous.OBS_PROJECT_ID, mous.DOMAIN_ENTITY_ID, None
    return row.OBSUNITSETUID, row.OBSUNITSETPARTID, row.NAME


def _scheduling_block(connection: Connection, mous_uid: MousUid, blocks: tuple[ExecutionBlock, ...]) -> tuple[str, str]:
    """Return the scheduling block whose executions passed, and its status: a processing request names exactly one."""
    rows = connection.execute(statements.scheduling_blocks(mous_uid)).all()
    if not rows:
        raise ArchiveInconsistentError(f"SCHED_BLOCK_STATUS has no scheduling block for {mous_uid}")
    observed = [block.sched_block_uid for block in blocks if block.passed_qa0]
    candidates = [row for row in rows if row.DOMAIN_ENTITY_ID in observed] or rows
    if len(candidates) > 1:
        log.warning("several_scheduling_blocks", taken=candidates[0].DOMAIN_ENTITY_ID, found=len(candidates))
    return candidates[0].DOMAIN_ENTITY_ID, candidates[0].STATUS_ENTITY_ID


def _one(connection: Connection, statement: Select[Any], missing: str) -> Any:
    row = connection.execute(statement).first()
    if row is None:
        raise ArchiveInconsistentError(missing)
    return row


def _uid(text: str | None, missing: str) -> EntityUid:
    if text is None:
        raise ArchiveInconsistentError(missing)
    return EntityUid(text)


def _utc(time: datetime | None) -> datetime | None:
    return time and time.replace(tzinfo=UTC)


def _date(found: Any) -> datetime | None:
    """Read a date of the site's query; NGAS writes its dates as ISO texts in UTC."""
    try:
        time = datetime.fromisoformat(found) if isinstance(found, str) else found
    except ValueError:
        log.warning("product_date_unreadable", found=found, consequence="the file counts as undated")
        return None
    return time if time is None or time.tzinfo is not None else _utc(time)

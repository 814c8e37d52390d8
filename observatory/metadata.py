"""A miniature of the archive's metadata database: ALMA's tables with the rows of a few MOUSs.

Works on every database that SQLAlchemy knows; the demo keeps its tables in a
SQLite file that the services open for reading.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, Engine, Table, create_engine, insert, select, update

from contracts.identifiers import MousUid
from observatory.metadata_entities import DemoAccount, DemoMous, DemoProject
from observatory.metadata_status import status_document
from shared.archive_db.tables import (
    ACCOUNT,
    AQUA_OUS,
    AQUA_SESSION,
    AQUA_V_EXECBLOCK,
    ASA_DELIVERY_STATUS,
    ASA_OUS,
    ASA_PRODUCT_FILES,
    ASA_PROJECT,
    ASA_SCIENCE,
    BMMV_OBSPROJECT,
    BMMV_OBSPROPOSAL,
    BMMV_OBSPROPOSAL_AUTHORS,
    BMMV_OBSUNITSET,
    METADATA,
    OBS_PROJECT_STATUS,
    OBS_UNIT_SET_STATUS,
    PROJECT_DELEGEE,
    SCHED_BLOCK_STATUS,
    STATE_CHANGES,
)

BLOCK_DURATION = timedelta(hours=1)
SESSION_PAUSE = timedelta(days=1)

ProductFiles = Iterable[tuple[str, int]]
"""Names of product files with their sizes in bytes."""


def sqlite_url(path: Path) -> str:
    """Return the URL by which services open the tables in a file."""
    return f"sqlite:///{path.absolute()}"


def create_tables(path: Path) -> Engine:
    """Make a SQLite file with all tables, empty, and return an engine that may write to it."""
    engine = create_engine(sqlite_url(path))
    create_tables_in(engine)
    return engine


def create_tables_in(engine: Engine) -> None:
    """Make all tables, empty, in a database."""
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            # The driver begins no transaction for a CREATE: without one each would be written to disk by itself.
            connection.exec_driver_sql("BEGIN")
        METADATA.create_all(connection)


def fill(
    engine: Engine,
    *,
    accounts: Iterable[DemoAccount],
    mouss: Iterable[DemoMous],
    product_files: Mapping[MousUid, ProductFiles],
) -> None:
    """Add people and MOUSs, with the products that are given for each; in one transaction."""
    with engine.begin() as connection:
        for account in accounts:
            add_account(connection, account)
        for mous in mouss:
            add_mous(connection, mous, product_files=product_files.get(mous.uid, ()))


def add_account(connection: Connection, account: DemoAccount) -> None:
    """Add a user's account."""
    _add(
        connection,
        ACCOUNT,
        ACCOUNT_ID=account.account_id,
        REQUEST_HANDLER_ID=f"rh-{account.account_id}",
        FIRSTNAME=account.first_name,
        LASTNAME=account.last_name,
        EMAIL=account.email,
        ACTIVE="T" if account.is_active else "F",
    )


def add_mous(connection: Connection, mous: DemoMous, *, product_files: ProductFiles = ()) -> None:
    """Add a MOUS with its project, tree, scheduling block, observations, delivery and product files.

    The project's PI and delegees are named; their accounts are added by `add_account`.
    """
    _add_project(connection, mous.project)
    _add_units(connection, mous)
    _add_observations(connection, mous)
    _add_delivery(connection, mous)
    add_products(connection, mous.uid, product_files)


def add_products(connection: Connection, mous_uid: MousUid, product_files: ProductFiles) -> None:
    """Add product files of a MOUS: names and sizes in bytes."""
    for name, size in product_files:
        _add(
            connection,
            ASA_PRODUCT_FILES,
            NGAS_FILE_ID=name,
            ASA_OUS_ID=mous_uid,
            FILE_CLASS=_file_class(name),
            STORED_SIZE=size,
        )


def set_state(connection: Connection, mous_uid: MousUid, state: str) -> None:
    """Bring a MOUS into another life-cycle state, e.g. ``QA3InProgress``, and note the change."""
    connection.execute(
        update(OBS_UNIT_SET_STATUS)
        .where(OBS_UNIT_SET_STATUS.c.STATUS_ENTITY_ID == mous_uid)
        .values(DOMAIN_ENTITY_STATE=state)
    )
    row = {"STATUS_ENTITY_ID": mous_uid, "DOMAIN_ENTITY_STATE": state, "ENTITY_TYPE": "OUS"}
    _add(connection, STATE_CHANGES, TIMESTAMP=_naive(datetime.now(UTC)), **row)


def set_release_date(connection: Connection, mous: DemoMous, when: datetime | None) -> None:
    """Move the release date of a MOUS; a later one is a claw-back."""
    connection.execute(
        update(ASA_DELIVERY_STATUS)
        .where(ASA_DELIVERY_STATUS.c.DELIVERY_NAME == _delivery_name(mous))
        .values(RELEASE_DATE=_naive(when))
    )


def _add(connection: Connection, table: Table, **row: object) -> None:
    connection.execute(insert(table).values(row))


def _add_project(connection: Connection, project: DemoProject) -> None:
    known = select(BMMV_OBSPROJECT.c.CODE).where(BMMV_OBSPROJECT.c.CODE == project.code)
    if connection.execute(known).first() is not None:
        return
    uid, pi, proposal = project.obs_project_uid, project.pi.account_id, f"{project.obs_project_uid}0"
    _add(connection, ASA_PROJECT, CODE=project.code, TYPE="S", TITLE=project.title, PI_NAME=project.pi.name)
    _add(connection, BMMV_OBSPROJECT, PRJ_ARCHIVE_UID=uid, CODE=project.code, PI=pi, TITLE=project.title)
    _add(connection, OBS_PROJECT_STATUS, OBS_PROJECT_ID=uid, DOMAIN_ENTITY_STATE="Ready")
    _add(
        connection,
        BMMV_OBSPROPOSAL,
        ARCHIVE_UID=proposal,
        PROJECTUID=uid,
        PI_USERID=pi,
        PI_FULLNAME=project.pi.name,
        CYCLE=".".join(project.code.split(".")[:2]),
    )
    _add(connection, BMMV_OBSPROPOSAL_AUTHORS, ARCHIVE_UID=proposal, USERID=pi, AUTHTYPE="PI")
    for delegee in project.delegees:
        row = {"PROJECT_CODE": project.code, "ACCOUNT_ID": delegee.account_id, "DELEGATION_TYPE": "DATA"}
        _add(connection, PROJECT_DELEGEE, **row)


def _add_units(connection: Connection, mous: DemoMous) -> None:
    """Add the MOUS and, where they are new, the Group and the Science Goal above it."""
    project = mous.project
    shared = {"OBS_PROJECT_STATUS_ID": project.project_status_uid, "OBS_PROJECT_ID": project.obs_project_uid}
    status = OBS_UNIT_SET_STATUS.c.STATUS_ENTITY_ID
    for uid, parent in ((mous.sgous_uid, None), (mous.gous_uid, mous.sgous_uid)):
        if connection.execute(select(status).where(status == uid)).first() is None:
            row = {"STATUS_ENTITY_ID": uid, "PARENT_OBS_UNIT_SET_STATUS_ID": parent}
            _add(connection, OBS_UNIT_SET_STATUS, DOMAIN_ENTITY_STATE="PartiallyCompleted", **row, **shared)
    _add(
        connection,
        OBS_UNIT_SET_STATUS,
        STATUS_ENTITY_ID=mous.uid,
        PARENT_OBS_UNIT_SET_STATUS_ID=mous.gous_uid,
        DOMAIN_ENTITY_ID=mous.part_id,
        DOMAIN_ENTITY_STATE=mous.state,
        XML=status_document(mous) if mous.has_status_document else None,
        **shared,
    )
    _add(
        connection,
        AQUA_OUS,
        OUS_STATUS_ENTITY_ID=mous.uid,
        OBSUNITSETUID=project.obs_project_uid,
        OBSUNITSETPARTID=mous.part_id,
        QA2STATUS="Pass",
    )
    _add(connection, BMMV_OBSUNITSET, ARCHIVE_UID=project.obs_project_uid, PARTID=mous.part_id, NAME=mous.title)
    _add(
        connection,
        SCHED_BLOCK_STATUS,
        STATUS_ENTITY_ID=mous.sb_status_uid,
        DOMAIN_ENTITY_ID=mous.sched_block_uid,
        DOMAIN_ENTITY_STATE="FullyObserved",
        PARENT_OBS_UNIT_SET_STATUS_ID=mous.uid,
        OBS_PROJECT_ID=project.obs_project_uid,
    )


def _add_observations(connection: Connection, mous: DemoMous) -> None:
    start = mous.first_start
    for number, session in enumerate(mous.sessions, start=1):
        session_id = f"{mous.uid}#X{number}"
        end = start + BLOCK_DURATION * len(session.blocks)
        _add(connection, AQUA_SESSION, SESSIONID=session_id, ENDTIME=_naive(end if session.is_end_known else None))
        for block in session.blocks:
            _add(
                connection,
                AQUA_V_EXECBLOCK,
                EXECBLOCKUID=block.uid,
                SCHEDBLOCKUID=mous.sched_block_uid,
                SESSIONID=session_id,
                OBSPROJECTCODE=mous.project.code,
                STATUS="SUCCESS",
                QA0STATUS=block.qa0,
                STARTTIME=_naive(start),
                ENDTIME=_naive(start + BLOCK_DURATION if session.is_end_known else None),
            )
            start += BLOCK_DURATION
        start += SESSION_PAUSE


def _add_delivery(connection: Connection, mous: DemoMous) -> None:
    """Add what the archive's own tables say of a MOUS; the science table misses its last block, as it may."""
    code = mous.project.code
    row = {"GROUP_OUS_UID": mous.gous_uid, "MEMBER_OUS_UID": mous.uid}
    _add(connection, ASA_OUS, ASA_OUS_ID=mous.uid, ASA_PROJECT_CODE=code, **row)
    _add(
        connection,
        ASA_DELIVERY_STATUS,
        DELIVERY_NAME=_delivery_name(mous),
        DELIVERY_ID=_delivery_name(mous),
        PI_ACCOUNT_ID=f"rh-{mous.project.pi.account_id}",
        QA2_PASSED="Y",
        ORIGINAL_RELEASE_DATE=_naive(mous.release_date),
        RELEASE_DATE=_naive(mous.release_date),
    )
    for block in _known_to_science(mous):
        _add(
            connection,
            ASA_SCIENCE,
            DATASET_ID=f"{block}.source1",
            PROJECT_CODE=code,
            MEMBER_OUSS_ID=mous.uid,
            ASA_OUS_ID=mous.uid,
            ASDM_UID=block,
            SCHEDBLOCK_NAME=mous.sched_block_title,
        )


def _known_to_science(mous: DemoMous) -> Sequence[str]:
    return [block.uid for block in mous.blocks][:-1] or [block.uid for block in mous.blocks]


def _delivery_name(mous: DemoMous) -> str:
    return f"{mous.project.code}_{mous.uid.file_form}"


def _file_class(name: str) -> str:
    if name.endswith((".py", ".log")):
        return "script"
    return "calibration" if any(word in name for word in ("caltables", "flagversions", "calapply")) else "science"


def _naive(time: datetime | None) -> datetime | None:
    """Write a time as ALMA's tables do: in UTC, without saying so."""
    return time and time.astimezone(UTC).replace(tzinfo=None)

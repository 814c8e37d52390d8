"""ALMA's own tables and columns, as far as they are read; types fit Oracle, PostgreSQL and SQLite alike.

Names are written in capitals, which is how Oracle stores them. Oracle keeps an
empty text as NULL: no statement may compare with ``''`` or tell the two apart.
Dates carry no time zone; ALMA writes them in UTC.
"""

from sqlalchemy import BigInteger, Column, DateTime, Index, Integer, MetaData, String, Table, Text, func

METADATA = MetaData()

_UID = String(64)
_NAME = String(256)
_CODE = String(32)


def _uid_key(name: str) -> Column[str]:
    return Column(name, _UID, primary_key=True)


ASA_SCIENCE = Table(
    "ASA_SCIENCE",
    METADATA,
    Column("DATASET_ID", String(128), primary_key=True),
    Column("PARENT_DATASET_ID", String(128)),
    Column("PROJECT_CODE", _CODE),
    Column("MEMBER_OUSS_ID", _UID, index=True),
    Column("ASA_OUS_ID", _UID),
    Column("ASDM_UID", _UID),
    Column("PRODUCT_TYPE", String(16)),
    Column("SCHEDBLOCK_NAME", _NAME),
)
"""A row per execution block and source. It misses some blocks and lists some under several MOUSs: never count here."""

ASA_OUS = Table(
    "ASA_OUS",
    METADATA,
    _uid_key("ASA_OUS_ID"),
    Column("ASA_PROJECT_CODE", _CODE),
    Column("GROUP_OUS_UID", _UID),
    Column("MEMBER_OUS_UID", _UID),
)

ASA_PROJECT = Table(
    "ASA_PROJECT",
    METADATA,
    Column("CODE", _CODE, primary_key=True),
    Column("TYPE", String(32)),
    Column("TITLE", String(512)),
    Column("PI_NAME", _NAME),
)

ASA_PRODUCT_FILES = Table(
    "ASA_PRODUCT_FILES",
    METADATA,
    Column("NGAS_FILE_ID", _NAME, primary_key=True),
    Column("ASA_OUS_ID", _UID, index=True),
    Column("FILE_CLASS", String(32)),
    Column("STORED_SIZE", BigInteger),
)
"""The pipeline's files; ``ASA_OUS_ID`` is the MOUS UID, ``NGAS_FILE_ID`` the file's name."""

ASA_DELIVERY_STATUS = Table(
    "ASA_DELIVERY_STATUS",
    METADATA,
    Column("ID", Integer, primary_key=True),
    Column("DELIVERY_NAME", String(128), index=True),
    Column("DELIVERY_ID", String(128)),
    Column("PI_ACCOUNT_ID", String(64)),
    Column("QA2_PASSED", String(1)),
    Column("NOTIFICATION_DATE", DateTime),
    Column("ORIGINAL_RELEASE_DATE", DateTime),
    Column("RELEASE_DATE", DateTime),
    Column("RELEASE_DATE_COMMENT", String(512)),
)
"""``RELEASE_DATE`` is the official word on when data is public; it can be moved back."""

OBS_UNIT_SET_STATUS = Table(
    "OBS_UNIT_SET_STATUS",
    METADATA,
    _uid_key("STATUS_ENTITY_ID"),
    Column("DOMAIN_ENTITY_ID", String(32)),
    Column("DOMAIN_ENTITY_STATE", String(32)),
    Column("PARENT_OBS_UNIT_SET_STATUS_ID", _UID, index=True),
    Column("OBS_PROJECT_STATUS_ID", _UID),
    Column("OBS_PROJECT_ID", _UID),
    Column("FLAGS", String(512)),
    Column("XML", Text),
)
"""A row per ObsUnitSet of every level; ``DOMAIN_ENTITY_ID`` is its part id, ``XML`` the OUSStatus document."""

STATE_CHANGES = Table(
    "STATE_CHANGES",
    METADATA,
    Column("STATE_CHANGES_ID", Integer, primary_key=True),
    Column("STATUS_ENTITY_ID", _UID),
    Column("DOMAIN_ENTITY_ID", String(32)),
    Column("DOMAIN_ENTITY_STATE", String(32)),
    Column("TIMESTAMP", DateTime),
    Column("ENTITY_TYPE", String(8)),
)
"""A row per change of state, numbered upwards; ``ENTITY_TYPE`` is ``OUS`` for ObsUnitSets."""

SCHED_BLOCK_STATUS = Table(
    "SCHED_BLOCK_STATUS",
    METADATA,
    _uid_key("STATUS_ENTITY_ID"),
    Column("DOMAIN_ENTITY_ID", _UID, index=True),
    Column("DOMAIN_ENTITY_STATE", String(32)),
    Column("PARENT_OBS_UNIT_SET_STATUS_ID", _UID, index=True),
    Column("OBS_PROJECT_ID", _UID),
    Column("FLAGS", String(512)),
)
"""``DOMAIN_ENTITY_ID`` is the scheduling block, its parent the MOUS."""

OBS_PROJECT_STATUS = Table(
    "OBS_PROJECT_STATUS",
    METADATA,
    _uid_key("OBS_PROJECT_ID"),
    Column("DOMAIN_ENTITY_STATE", String(32)),
)

AQUA_OUS = Table(
    "AQUA_OUS",
    METADATA,
    _uid_key("OUS_STATUS_ENTITY_ID"),
    Column("OBSUNITSETUID", _UID),
    Column("OBSUNITSETPARTID", String(32)),
    Column("QA2STATUS", String(16)),
)
"""Ties a MOUS to its ObsProject (``OBSUNITSETUID``) and part id."""

AQUA_V_EXECBLOCK = Table(
    "AQUA_V_EXECBLOCK",
    METADATA,
    _uid_key("EXECBLOCKUID"),
    Column("SCHEDBLOCKUID", _UID, index=True),
    Column("SESSIONID", String(64)),
    Column("OBSPROJECTCODE", _CODE),
    Column("STATUS", String(16)),
    Column("QA0STATUS", String(16)),
    Column("STARTTIME", DateTime),
    Column("ENDTIME", DateTime),
)

AQUA_SESSION = Table(
    "AQUA_SESSION",
    METADATA,
    Column("SESSIONID", String(64), primary_key=True),
    Column("ENDTIME", DateTime),
)

BMMV_OBSPROJECT = Table(
    "BMMV_OBSPROJECT",
    METADATA,
    _uid_key("PRJ_ARCHIVE_UID"),
    Column("CODE", _CODE, index=True),
    Column("PI", String(64)),
    Column("TITLE", String(512)),
)

BMMV_OBSPROPOSAL = Table(
    "BMMV_OBSPROPOSAL",
    METADATA,
    _uid_key("ARCHIVE_UID"),
    Column("PROJECTUID", _UID, index=True),
    Column("PI_USERID", String(64)),
    Column("PI_FULLNAME", _NAME),
    Column("CYCLE", String(32)),
)

BMMV_OBSPROPOSAL_AUTHORS = Table(
    "BMMV_OBSPROPOSAL_AUTHORS",
    METADATA,
    _uid_key("ARCHIVE_UID"),
    Column("USERID", String(64), primary_key=True),
    Column("AUTHTYPE", String(16)),
)
"""Co-investigators; the procedure entitles only the PI and delegees, so entitlement does not read them."""

BMMV_OBSUNITSET = Table(
    "BMMV_OBSUNITSET",
    METADATA,
    _uid_key("ARCHIVE_UID"),
    Column("PARTID", String(32), primary_key=True),
    Column("NAME", _NAME),
)

ACCOUNT = Table(
    "ACCOUNT",
    METADATA,
    Column("ACCOUNT_ID", String(64), primary_key=True),
    Column("REQUEST_HANDLER_ID", String(64)),
    Column("FIRSTNAME", String(128)),
    Column("LASTNAME", String(128)),
    Column("EMAIL", _NAME),
    Column("ACTIVE", String(1)),
)
Index("ACCOUNT_ACCOUNT_ID_LOWER", func.lower(ACCOUNT.c.ACCOUNT_ID))
Index("ACCOUNT_EMAIL_LOWER", func.lower(ACCOUNT.c.EMAIL))

PROJECT_DELEGEE = Table(
    "PROJECT_DELEGEE",
    METADATA,
    Column("PROJECT_CODE", _CODE, primary_key=True),
    Column("ACCOUNT_ID", String(64), primary_key=True),
    Column("DELEGATION_TYPE", String(16), primary_key=True),
)
"""Who may act for a PI. ALMA's own table is not public: this one is ours, and the query is a setting.

ALMA delegates per project and kind of right; ``DATA`` is the kind that gives access to data.
"""

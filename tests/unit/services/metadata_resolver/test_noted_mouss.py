"""The six MOUSs of NRAO's notes (see `metadata_demo`), each with the trait that made it worth a note."""

import pytest
from sqlalchemy import select

from observatory.metadata_demo import EMPTY_FIRST_SESSION, MOUS, NO_END_TIME, NOTED, TRUNCATED, TWO_SESSIONS
from observatory.metadata_entities import DemoMous
from observatory.metadata_status import END_NOT_KNOWN
from services.metadata_resolver.service import MetadataResolver
from shared.archive_db.tables import AQUA_SESSION, AQUA_V_EXECBLOCK, OBS_UNIT_SET_STATUS
from tests.support.archive_tables import ArchiveTables
from tests.unit.services.metadata_resolver.resolving import structure_of

BLOCKS_BY_SESSION = {
    "uid://A001/X1284/X265f": [
        ["uid://A002/Xc7111c/X3979", "uid://A002/Xc7111c/X409e"],
        [],
        ["uid://A002/Xc7111c/X86a7", "uid://A002/Xc72427/X2dfe"],
    ],
    "uid://A001/X12a3/X80e": [["uid://A002/Xc89480/X1f32"]],
    "uid://A001/X12cc/X4a": [["uid://A002/Xc91189/X6b0", "uid://A002/Xc91189/Xb2f"]],
    "uid://A001/X1284/X266": [["uid://A002/Xc6c0f0/X1a4"], ["uid://A002/Xc6d2f9/X3b7"]],
    "uid://A001/X1284/Xf3b": [[], ["uid://A002/Xc7a1be/X2c9"]],
    "uid://A001/X133d/X3681": [["uid://A002/Xd10bc3/X7e5"]],
}


@pytest.mark.parametrize("uid", BLOCKS_BY_SESSION)
def test_each_of_the_six_is_resolved_with_its_sessions(uid: str, service: MetadataResolver) -> None:
    (mous,) = [mous for mous in NOTED if mous.uid == uid]
    sessions = structure_of(service, mous).sessions
    assert [list(session.execution_blocks) for session in sessions] == BLOCKS_BY_SESSION[uid]
    assert [session.name for session in sessions] == [f"session_{number + 1}" for number in range(len(sessions))]


def test_there_are_six() -> None:
    assert [mous.uid for mous in NOTED] == list(BLOCKS_BY_SESSION)


def test_processing_requests_are_named_by_the_status_of_the_scheduling_block(service: MetadataResolver) -> None:
    """As those that NRAO's notes name: two blocks of one session, and two of two."""
    assert structure_of(service, TRUNCATED).tree.sb_status_uid == "uid://A001/X12cc/X4b"
    assert structure_of(service, TWO_SESSIONS).tree.sb_status_uid == "uid://A001/X1284/X267"


def test_one_has_a_stop_time_of_null_wherever_the_tables_have_one(tables: ArchiveTables) -> None:
    block, session = AQUA_V_EXECBLOCK.c, AQUA_SESSION.c
    ends = (
        select(block.ENDTIME, session.ENDTIME)
        .join(AQUA_SESSION, session.SESSIONID == block.SESSIONID)
        .where(block.EXECBLOCKUID == NO_END_TIME.blocks[0].uid)
    )
    with tables.open().reading() as connection:
        assert connection.execute(ends).all() == [(None, None)]


@pytest.mark.parametrize("mous", [MOUS, EMPTY_FIRST_SESSION], ids=lambda mous: str(mous.uid))
def test_the_status_document_of_some_has_a_session_without_blocks(mous: DemoMous, tables: ArchiveTables) -> None:
    document = select(OBS_UNIT_SET_STATUS.c.XML).where(OBS_UNIT_SET_STATUS.c.STATUS_ENTITY_ID == mous.uid)
    with tables.open().reading() as connection:
        text = connection.execute(document).scalar_one()
    sessions = text.split("<Session>")[1:]
    assert any("ExecBlockRef" not in session for session in sessions)
    assert (END_NOT_KNOWN in text) == (mous is MOUS)

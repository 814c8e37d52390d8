from collections.abc import Iterator

import pytest
from sqlalchemy import ClauseElement, Table, delete, insert, update

from observatory.metadata import add_products
from observatory.metadata_demo import MOUS, MOUSS, NO_END_TIME, TWO_SESSIONS
from services.metadata_resolver.records import ArchiveInconsistentError, ArchiveRecords
from shared.archive_db.tables import (
    AQUA_OUS,
    AQUA_V_EXECBLOCK,
    ASA_SCIENCE,
    BMMV_OBSUNITSET,
    OBS_UNIT_SET_STATUS,
    SCHED_BLOCK_STATUS,
)
from tests.support.archive_tables import ArchiveTables


@pytest.fixture
def records(tables: ArchiveTables) -> Iterator[ArchiveRecords]:
    records = ArchiveRecords(database=tables.open())
    yield records
    records.close()


def empty(tables: ArchiveTables, table: Table) -> None:
    tables.change(lambda connection: connection.execute(delete(table)))


def test_every_demo_mous_gives_all_its_execution_blocks_in_order(records: ArchiveRecords) -> None:
    for mous in MOUSS:
        blocks = records.read(mous.uid).blocks
        assert [block.uid for block in blocks] == [block.uid for block in mous.blocks]
        assert [block.passed_qa0 for block in blocks] == [block.qa0 == "Pass" for block in mous.blocks]


def test_blocks_are_found_though_the_science_table_misses_them(records: ArchiveRecords, tables: ArchiveTables) -> None:
    empty(tables, ASA_SCIENCE)
    found = records.read(MOUS.uid)
    assert len(found.blocks) == 4
    assert found.tree.sched_block_title == "Undefined"


def test_a_block_that_the_science_table_lists_under_a_further_mous_stays_with_its_own(
    records: ArchiveRecords, tables: ArchiveTables
) -> None:
    stray = {"DATASET_ID": "stray", "MEMBER_OUSS_ID": MOUS.uid, "ASDM_UID": TWO_SESSIONS.blocks[0].uid}
    tables.change(lambda connection: connection.execute(insert(ASA_SCIENCE).values(stray)))
    assert TWO_SESSIONS.blocks[0].uid not in [block.uid for block in records.read(MOUS.uid).blocks]
    assert [block.uid for block in records.read(TWO_SESSIONS.uid).blocks] == [each.uid for each in TWO_SESSIONS.blocks]


def test_a_missing_end_of_a_session_is_none(records: ArchiveRecords) -> None:
    (block,) = records.read(NO_END_TIME.uid).blocks
    assert block.session_end_time is None
    assert block.start_time == NO_END_TIME.first_start


def test_without_an_aqua_row_project_and_part_come_from_the_status(
    records: ArchiveRecords, tables: ArchiveTables
) -> None:
    expected = records.read(MOUS.uid).tree
    empty(tables, AQUA_OUS)
    assert records.read(MOUS.uid).tree == expected.model_copy(update={"obs_unit_set_title": "Undefined"})


def test_without_a_title_there_is_a_stand_in(records: ArchiveRecords, tables: ArchiveTables) -> None:
    empty(tables, BMMV_OBSUNITSET)
    assert records.read(MOUS.uid).tree.obs_unit_set_title == "Undefined"


def test_of_several_scheduling_blocks_the_observed_one_is_taken(records: ArchiveRecords, tables: ArchiveTables) -> None:
    columns = SCHED_BLOCK_STATUS.c
    adopt = update(SCHED_BLOCK_STATUS).where(columns.STATUS_ENTITY_ID == TWO_SESSIONS.sb_status_uid)
    tables.change(lambda connection: connection.execute(adopt.values(PARENT_OBS_UNIT_SET_STATUS_ID=MOUS.uid)))
    unobserved = update(AQUA_V_EXECBLOCK).where(AQUA_V_EXECBLOCK.c.SCHEDBLOCKUID == TWO_SESSIONS.sched_block_uid)
    tables.change(lambda connection: connection.execute(unobserved.values(QA0STATUS="Fail")))
    assert records.read(MOUS.uid).tree.sb_status_uid == MOUS.sb_status_uid


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (delete(SCHED_BLOCK_STATUS), "SCHED_BLOCK_STATUS has no scheduling block"),
        (
            delete(OBS_UNIT_SET_STATUS).where(OBS_UNIT_SET_STATUS.c.STATUS_ENTITY_ID == MOUS.gous_uid),
            f"no row for {MOUS.gous_uid}",
        ),
        (update(OBS_UNIT_SET_STATUS).values(PARENT_OBS_UNIT_SET_STATUS_ID=None), "no Group ObsUnitSet above"),
        (update(OBS_UNIT_SET_STATUS).values(OBS_PROJECT_STATUS_ID=None), "no project status"),
        (update(AQUA_OUS).values(OBSUNITSETPARTID="644753181"), "obs_unit_set_part_id"),
        (update(AQUA_OUS).values(OBSUNITSETUID="a text"), "not an ALMA UID"),
    ],
)
def test_a_hole_in_the_tables_is_told_by_name(
    records: ArchiveRecords, tables: ArchiveTables, change: ClauseElement, complaint: str
) -> None:
    tables.change(lambda connection: connection.execute(change))  # type: ignore[call-overload]  # an update or a delete
    with pytest.raises(ArchiveInconsistentError, match=complaint) as raised:
        records.read(MOUS.uid)
    assert not raised.value.transient


def test_products_no_restore_needs_are_left_out(records: ArchiveRecords, tables: ArchiveTables) -> None:
    name = f"member.{MOUS.uid.file_form}.hifa_calimage"
    others = [(f"{name}.weblog.tgz", 1), (f"{name}.product_rename.txt", 1), (f"{name}.pipeline_manifest.xml", 7)]
    tables.change(lambda connection: add_products(connection, MOUS.uid, others))
    found = {product.file_id: product.size for product in records.read(MOUS.uid).products}
    assert found == {
        f"{name}.pipeline_manifest.xml": 7,
        f"member.{MOUS.uid.file_form}.session_1.caltables.tgz": 1001,
        f"member.{MOUS.uid.file_form}.session_3.caltables.tgz": 1003,
    }

from pathlib import Path

from sqlalchemy import func, inspect, select

from observatory.metadata import add_account, create_tables, fill
from observatory.metadata_demo import ACCOUNTS, MOUS, MOUSS, PI, PROPRIETARY
from shared.archive_db.tables import (
    ASA_DELIVERY_STATUS,
    ASA_PRODUCT_FILES,
    ASA_SCIENCE,
    BMMV_OBSPROJECT,
    METADATA,
    OBS_UNIT_SET_STATUS,
)


def test_all_tables_are_there_with_the_demos_rows(tmp_path: Path) -> None:
    engine = create_tables(tmp_path / "archive.db")
    fill(engine, accounts=ACCOUNTS, mouss=MOUSS, product_files={MOUS.uid: [("x.session_1.caltables.tgz", 7)]})
    with engine.connect() as connection:
        assert set(inspect(connection).get_table_names()) == set(METADATA.tables)
        states = {
            row.STATUS_ENTITY_ID: row.DOMAIN_ENTITY_STATE for row in connection.execute(select(OBS_UNIT_SET_STATUS))
        }
        assert {mous.uid: states[mous.uid] for mous in MOUSS} == {mous.uid: mous.state for mous in MOUSS}
        assert connection.execute(select(func.count()).select_from(BMMV_OBSPROJECT)).scalar() == 2
        (product,) = connection.execute(select(ASA_PRODUCT_FILES)).all()
        assert (product.ASA_OUS_ID, product.FILE_CLASS, product.STORED_SIZE) == (MOUS.uid, "calibration", 7)
    engine.dispose()


def test_dates_are_stored_in_utc_without_a_zone(tmp_path: Path) -> None:
    engine = create_tables(tmp_path / "archive.db")
    fill(engine, accounts=ACCOUNTS, mouss=[MOUS], product_files={})
    with engine.connect() as connection:
        (row,) = connection.execute(select(ASA_DELIVERY_STATUS)).all()
    assert row.DELIVERY_NAME == "2017.1.00886.L_uid___A001_X1284_X265f"
    assert row.RELEASE_DATE == PROPRIETARY.replace(tzinfo=None)
    engine.dispose()


def test_the_science_table_misses_a_block_as_alma_says_it_may(tmp_path: Path) -> None:
    engine = create_tables(tmp_path / "archive.db")
    fill(engine, accounts=ACCOUNTS, mouss=[MOUS], product_files={})
    with engine.connect() as connection:
        listed = set(connection.execute(select(ASA_SCIENCE.c.ASDM_UID)).scalars())
    assert listed == {block.uid for block in MOUS.blocks[:-1]}
    engine.dispose()


def test_every_uid_of_the_demo_stands_for_one_thing() -> None:
    uids = [uid for mous in MOUSS for uid in (mous.uid, mous.gous_uid, mous.sgous_uid)]
    uids += [uid for mous in MOUSS for uid in (mous.sched_block_uid, mous.sb_status_uid)]
    uids += [block.uid for mous in MOUSS for block in mous.blocks]
    assert len(set(uids)) == len(uids)


def test_people_of_the_demo_have_an_address_that_no_mail_reaches(tmp_path: Path) -> None:
    engine = create_tables(tmp_path / "archive.db")
    with engine.begin() as connection:
        add_account(connection, PI)
    assert all(account.email.endswith("@example.org") for account in ACCOUNTS)
    engine.dispose()

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import delete, select, update

from observatory import metadata_demo as demo
from observatory.metadata import add_products, set_release_date, set_state
from shared.archive_db import ArchiveDatabase
from shared.archive_db.tables import (
    ASA_DELIVERY_STATUS,
    ASA_PRODUCT_FILES,
    BMMV_OBSPROJECT,
    SCHED_BLOCK_STATUS,
)
from shared.calibration_status import CalibrationStatusSettings, StatusRecord, Updater
from shared.calibration_status.archive import ArchiveStatus
from shared.errors import DependencyAwayError, MisconfiguredError
from shared.not_restorable import NotRestorableYet, RefusedYet, ToldBy
from shared.objects import DirectorySettings, ObjectStore, open_store
from tests.support.archive_tables import ArchiveTables, caltables_of
from tests.support.samples import REQUEST, WHEN

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@dataclass
class House:
    """The archive's tables, the record, and what keeps the one like the other."""

    tables: ArchiveTables
    record: StatusRecord
    waiting: NotRestorableYet
    database: ArchiveDatabase
    now: datetime = NOW

    def updater(self, *, restore_manual: bool = False, **settings: object) -> Updater:
        return Updater(
            archive=ArchiveStatus(database=self.database, delivery_column="DELIVERY_NAME"),
            record=self.record,
            waiting=self.waiting,
            settings=CalibrationStatusSettings.model_validate({"page": 2, "watch": 2, **settings}),
            restore_manual=restore_manual,
            clock=lambda: self.now,
        )

    def remove_products(self) -> None:
        mine = ASA_PRODUCT_FILES.c.ASA_OUS_ID == demo.MOUS.uid
        self.tables.change(lambda connection: connection.execute(delete(ASA_PRODUCT_FILES).where(mine)))

    def add_caltables(self) -> None:
        self.tables.change(lambda connection: add_products(connection, demo.MOUS.uid, caltables_of(demo.MOUS)))


@pytest.fixture
def objects(tmp_path: Path) -> Iterator[ObjectStore]:
    store = open_store(DirectorySettings(root=tmp_path / "objects"))
    yield store
    store.close()


@pytest.fixture
def house(tmp_path: Path, objects: ObjectStore) -> Iterator[House]:
    tables = ArchiveTables(tmp_path)
    tables.fill()
    record = StatusRecord(tmp_path / "local" / "status.db")
    database = tables.open()
    yield House(tables, record, NotRestorableYet(objects=objects), database)
    database.close()
    record.close()
    tables.close()


def test_a_full_pass_records_every_mous_and_no_other_unit(house: House) -> None:
    done = house.updater().refresh()
    assert done.is_full
    assert done.read == len(demo.MOUSS) == house.record.count()
    assert done.changes == {"new": len(demo.MOUSS)}
    assert house.record.get(demo.MOUS.gous_uid) is None
    status = house.record.get(demo.MOUS.uid)
    assert status is not None
    assert (status.project_code, status.state, status.caltables) == (demo.PROJECT.code, "Delivered", 2)
    assert status.release_date == demo.PROPRIETARY


def test_the_record_answers_whether_a_mous_can_be_restored(house: House) -> None:
    house.updater().refresh()
    house.tables.path.unlink()
    assert house.record.is_restorable(demo.MOUS.uid) is True
    assert house.record.is_restorable(demo.IN_QA3.uid) is False
    assert house.record.is_restorable(demo.UNKNOWN_MOUS) is None


def test_a_second_full_pass_changes_nothing(house: House) -> None:
    house.updater().refresh()
    assert not house.updater().refresh(full=True).changes


@pytest.mark.parametrize("full", [True, False], ids=["full", "quick"])
def test_state_changes_and_moved_dates_are_noticed(house: House, full: bool) -> None:
    house.updater().refresh()
    house.tables.change(lambda connection: set_state(connection, demo.MOUS.uid, "QA3InProgress"))
    house.tables.change(lambda connection: set_release_date(connection, demo.CORRUPTED, demo.PROPRIETARY))
    done = house.updater(watch=0).refresh(full=full)
    assert done.is_full == full
    assert done.changes == {"state": 1, "release date": 1}
    assert house.record.is_restorable(demo.MOUS.uid) is False
    moved = house.record.get(demo.CORRUPTED.uid)
    assert moved is not None
    assert (moved.release_date, moved.is_date_moved) == (demo.PROPRIETARY, True)
    house.tables.change(lambda connection: set_release_date(connection, demo.CORRUPTED, demo.PUBLIC))
    assert house.updater(watch=0).refresh(full=full).changes == {"release date": 1}


def test_a_date_that_is_taken_away_is_noticed(house: House) -> None:
    house.updater().refresh()
    house.tables.change(lambda connection: set_release_date(connection, demo.CORRUPTED, None))
    assert house.updater().refresh().changes == {"release date": 1}
    status = house.record.get(demo.CORRUPTED.uid)
    assert status is not None
    assert status.release_date is None


def test_one_delivery_without_date_leaves_the_mous_without_one(house: House) -> None:
    again = select(ASA_DELIVERY_STATUS.c.DELIVERY_NAME).where(
        ASA_DELIVERY_STATUS.c.DELIVERY_NAME.like(f"%{demo.MOUS.uid.file_form}")
    )
    house.tables.change(
        lambda connection: connection.execute(ASA_DELIVERY_STATUS.insert().from_select(["DELIVERY_NAME"], again))
    )
    house.updater().refresh()
    status = house.record.get(demo.MOUS.uid)
    assert status is not None
    assert status.release_date is None


def test_new_products_are_noticed_in_turn_without_any_trace(house: House) -> None:
    house.tables.change(lambda connection: connection.execute(delete(ASA_PRODUCT_FILES)))
    house.updater().refresh()
    house.add_caltables()
    passes = [house.updater(watch=2).refresh() for _ in range(5)]
    assert not any(done.is_full for done in passes)
    assert sum(done.changes["products"] for done in passes) == 1
    assert house.record.is_restorable(demo.MOUS.uid)


@pytest.mark.parametrize("restore_manual", [False, True])
def test_who_waits_for_what_was_calibrated_by_hand_is_told_where_that_is_restored(
    house: House, restore_manual: bool
) -> None:
    house.remove_products()
    house.waiting.remember(RefusedYet(request=REQUEST, detail="no tables", since=WHEN))
    scripts = [("member.uid___A001_X1284_X265f.scriptForCalibration.py", 1000)]
    house.tables.change(lambda connection: add_products(connection, demo.MOUS.uid, scripts))
    told = house.updater(restore_manual=restore_manual).refresh().can_be_told
    assert [one.request.mous_uid for one in told] == [demo.MOUS.uid] * restore_manual


def test_who_waits_is_told_at_the_next_refresh(house: House) -> None:
    house.remove_products()
    request = REQUEST.model_copy(update={"request_id": uuid4()})
    refused = RefusedYet(request=request, detail="no tables", since=WHEN)
    house.waiting.remember(refused)
    assert house.updater().refresh().can_be_told == []
    house.add_caltables()
    done = house.updater(watch=0).refresh()
    assert (done.is_full, done.can_be_told) == (False, [refused])
    house.waiting.record_told(refused, by=ToldBy.EVENT, when=NOW)
    assert house.updater(watch=0).refresh().can_be_told == []


def test_a_mous_that_is_gone_leaves_the_record_at_the_next_full_pass(house: House) -> None:
    house.updater().refresh()
    last = max(mous.uid for mous in demo.MOUSS)
    gone = SCHED_BLOCK_STATUS.c.PARENT_OBS_UNIT_SET_STATUS_ID.in_([demo.TRUNCATED.uid, last])
    house.tables.change(lambda connection: connection.execute(delete(SCHED_BLOCK_STATUS).where(gone)))
    assert house.updater().refresh(full=True).changes == {"gone": 2}
    assert house.record.get(last) is None
    assert house.record.count() == len(demo.MOUSS) - 2


def test_an_interrupted_full_pass_is_continued_where_it_was(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    read = ArchiveStatus.read
    pages: list[list[str]] = []

    def away_at_the_third_page(self: ArchiveStatus, uids: list[str]) -> object:
        if len(pages) == 2:
            raise DependencyAwayError("no answer")
        pages.append(uids)
        return read(self, uids)

    with monkeypatch.context() as patch:
        patch.setattr(ArchiveStatus, "read", away_at_the_third_page)
        with pytest.raises(DependencyAwayError):
            house.updater().refresh()
    assert house.record.count() == 4
    done = house.updater().refresh()
    assert (done.is_full, done.read) == (True, len(demo.MOUSS) - 4)
    assert house.record.count() == len(demo.MOUSS)


def test_a_change_during_a_full_pass_is_not_lost(house: House) -> None:
    class Archive(ArchiveStatus):
        def read(self, mous_uids: object) -> object:  # type: ignore[override]  # only passes on
            found = super().read(mous_uids)  # type: ignore[arg-type]  # as above
            if demo.MOUS.uid in found:
                house.tables.change(lambda connection: set_state(connection, demo.MOUS.uid, "QA3InProgress"))
            return found

    updater = Updater(
        archive=Archive(database=house.database, delivery_column="DELIVERY_NAME"),
        record=house.record,
        waiting=house.waiting,
        settings=CalibrationStatusSettings(page=2),
    )
    updater.refresh()
    assert house.record.is_restorable(demo.MOUS.uid) is True
    house.updater().refresh()
    assert house.record.is_restorable(demo.MOUS.uid) is False


def test_a_full_pass_is_due_once_a_day(house: House) -> None:
    assert house.updater().refresh().is_full
    house.now += timedelta(hours=23)
    assert not house.updater().refresh().is_full
    house.now += timedelta(hours=2)
    assert house.updater().refresh().is_full


def test_a_mous_without_project_has_no_release_date(house: House) -> None:
    orphan = update(BMMV_OBSPROJECT).where(BMMV_OBSPROJECT.c.CODE == demo.PROJECT.code)
    house.tables.change(lambda connection: connection.execute(orphan.values(PRJ_ARCHIVE_UID="uid://A001/X0/X0")))
    house.updater().refresh()
    status = house.record.get(demo.MOUS.uid)
    assert status is not None
    assert (status.project_code, status.release_date) == (None, None)


def test_a_record_that_is_none_says_which_setting_names_it(tmp_path: Path) -> None:
    text = tmp_path / "text.db"
    text.write_text("this is no database, but long enough to be looked at" * 20)
    with pytest.raises(MisconfiguredError, match="ALMA_RESTORE_CALIBRATION_STATUS_PATH"):
        StatusRecord(text)

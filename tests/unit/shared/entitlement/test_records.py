from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError
from sqlalchemy import insert, update

from contracts.identifiers import MousUid, ProjectCode
from contracts.messages.parts import RestoreRequest
from observatory.metadata import set_release_date
from observatory.metadata_demo import (
    ACCOUNTS,
    CORRUPTED,
    DELEGEE,
    IN_QA3,
    MOUS,
    NOTHING_PASSED,
    PI,
    PROPRIETARY,
    STRANGER,
    UNKNOWN_MOUS,
)
from services.entitlement_checker.settings import EntitlementCheckerSettings
from shared.archive_db.tables import BMMV_OBSPROJECT, PROJECT_DELEGEE
from shared.entitlement.decide import MousFacts
from shared.entitlement.delegees import QueriedDelegees
from shared.entitlement.records import ArchiveRecords
from tests.support.archive_tables import ArchiveTables
from tests.support.samples import REQUEST


@pytest.fixture
def records(tables: ArchiveTables) -> Iterator[ArchiveRecords]:
    records = ArchiveRecords(database=tables.open())
    yield records
    records.close()


def asking(email: str, account: str | None = None) -> RestoreRequest:
    return REQUEST.model_copy(
        update={"user_email": email, "user_account": account, "project_code": MOUS.project.code, "mous_uid": MOUS.uid}
    )


def test_a_mous_is_read_with_state_project_blocks_and_release_date(records: ArchiveRecords) -> None:
    assert records.mous(MOUS.uid) == MousFacts(
        project_code="2017.1.00886.L",
        state="Delivered",
        has_member_units=False,
        passed_blocks=4,
        release_dates=(PROPRIETARY,),
    )


def test_an_unknown_mous_is_none(records: ArchiveRecords) -> None:
    assert records.mous(UNKNOWN_MOUS) is None


def test_a_group_is_seen_to_have_units_below(records: ArchiveRecords) -> None:
    group = records.mous(MousUid(MOUS.gous_uid))
    assert group is not None
    assert group.has_member_units


def test_states_and_blocks_that_failed_are_read_as_they_are(records: ArchiveRecords) -> None:
    in_qa3, nothing = records.mous(IN_QA3.uid), records.mous(NOTHING_PASSED.uid)
    assert in_qa3 is not None
    assert nothing is not None
    assert in_qa3.state == "QA3InProgress"
    assert nothing.passed_blocks == 0


def test_a_mous_without_project_has_no_project_code(records: ArchiveRecords, tables: ArchiveTables) -> None:
    orphan = update(BMMV_OBSPROJECT).where(BMMV_OBSPROJECT.c.CODE == CORRUPTED.project.code)
    tables.change(lambda connection: connection.execute(orphan.values(PRJ_ARCHIVE_UID="uid://A001/X0/X0")))
    mous = records.mous(CORRUPTED.uid)
    assert mous is not None
    assert mous.project_code is None
    assert mous.release_dates == ()


def test_a_release_date_that_is_not_set_is_none(records: ArchiveRecords, tables: ArchiveTables) -> None:
    tables.change(lambda connection: set_release_date(connection, MOUS, None))
    mous = records.mous(MOUS.uid)
    assert mous is not None
    assert mous.release_dates == (None,)


def test_who_asks_is_found_by_e_mail_in_whatever_case(records: ArchiveRecords) -> None:
    person = records.person(asking("ANA.pereira@EXAMPLE.org"))
    assert person.by_email == {PI.account_id} == person.pis
    assert person.by_account == frozenset()
    assert person.delegees == {DELEGEE.account_id}


def test_who_asks_is_found_by_account_in_whatever_case(records: ArchiveRecords) -> None:
    person = records.person(asking("new.address@example.org", "JOkafor"))
    assert person.by_account == {DELEGEE.account_id} == person.delegees
    assert person.by_email == frozenset()


def test_account_and_address_of_two_people_contradict_each_other(records: ArchiveRecords) -> None:
    assert records.person(asking(STRANGER.email, PI.account_id)).is_contradictory
    assert not records.person(asking(PI.email, PI.account_id)).is_contradictory


def test_a_closed_account_is_nobodys(tmp_path: Path) -> None:
    folder = tmp_path / "closed"
    folder.mkdir()
    tables = ArchiveTables(folder)
    tables.fill(accounts=[replace(account, is_active=False) for account in ACCOUNTS])
    records = ArchiveRecords(database=tables.open())
    assert not records.person(asking(PI.email, PI.account_id)).accounts
    records.close()
    tables.close()


def test_delegees_come_from_the_sites_own_query_if_there_is_one(tables: ArchiveTables) -> None:
    query = "SELECT ACCOUNT_ID FROM ACCOUNT WHERE LASTNAME = 'Lind' AND '2017.1.00886.L' = :project_code"
    database = tables.open()
    records = ArchiveRecords(database=database, delegees=QueriedDelegees(database=database, query=query))
    assert records.person(asking(STRANGER.email)).delegees == {STRANGER.account_id}
    records.close()


def test_delegees_can_come_from_elsewhere(tables: ArchiveTables) -> None:
    class Directory:
        def of(self, project_code: ProjectCode) -> frozenset[str]:
            return frozenset({STRANGER.account_id}) if project_code == MOUS.project.code else frozenset()

    records = ArchiveRecords(database=tables.open(), delegees=Directory())
    assert records.person(asking(STRANGER.email)).delegees == {STRANGER.account_id}
    records.close()


def test_delegees_of_the_table_are_those_who_may_have_data(tables: ArchiveTables) -> None:
    other_right = {"PROJECT_CODE": MOUS.project.code, "ACCOUNT_ID": STRANGER.account_id, "DELEGATION_TYPE": "SUBMIT"}
    tables.change(lambda connection: connection.execute(insert(PROJECT_DELEGEE).values(other_right)))
    database = tables.open()
    assert QueriedDelegees(database=database).of(MOUS.project.code) == {DELEGEE.account_id}
    assert QueriedDelegees(database=database).of(CORRUPTED.project.code) == frozenset()
    database.close()


def test_a_query_for_delegees_must_name_the_project() -> None:
    with pytest.raises(ValidationError, match=":project_code"):
        EntitlementCheckerSettings.model_validate(
            {"database": {"url": "sqlite:////x.db"}, "delegee_query": "SELECT ACCOUNT_ID FROM DELEGEES"}
        )


def test_the_other_name_of_the_delivery_can_be_used(tables: ArchiveTables) -> None:
    records = ArchiveRecords(database=tables.open(), delivery_column="DELIVERY_ID")
    mous = records.mous(MOUS.uid)
    assert mous is not None
    assert mous.release_dates == (PROPRIETARY,)
    records.close()

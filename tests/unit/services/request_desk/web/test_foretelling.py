"""What a request would meet is foretold by the entitlement checker's own rules and by past deliveries."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import pytest

from contracts.identifiers import MousUid
from contracts.messages.parts import DeliveredFile, Selection
from observatory.metadata_demo import CORRUPTED, DELEGEE, IN_QA3, MOUS, PI, STRANGER, UNKNOWN_MOUS
from observatory.metadata_entities import DemoAccount
from services.request_desk.ledger.records import BlockRecord, DeliveryRecord, RequestRecord
from services.request_desk.web.foretelling import ArchiveForeteller, estimate
from shared.entitlement.records import ArchiveRecords
from tests.support.archive_tables import ArchiveTables
from tests.support.desk_site import DeskSite
from tests.support.oidc_provider import Person
from tests.support.samples import REQUEST

NOW = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture
def desk(tmp_path: Path, tables: ArchiveTables) -> Iterator[DeskSite]:
    records = ArchiveRecords(database=tables.open())

    def foreteller(site: DeskSite) -> ArchiveForeteller:
        return ArchiveForeteller(records=records, ledger=site.ledger, clock=lambda: datetime.now(UTC))

    with DeskSite(tmp_path / "desk", foreteller=foreteller) as site:
        yield site
    records.close()


def told(desk: DeskSite, account: DemoAccount, mous: MousUid, more: str = "") -> dict[str, object]:
    person = Person(account.account_id, f"{account.first_name} {account.last_name}", account.email)
    answer = desk.program(person).get(f"/api/v1/preview?mous={quote(mous, safe='')}{more}")
    assert answer.status == 200, answer.data
    found: dict[str, object] = answer.json()
    return found


def test_the_pi_and_a_delegee_are_told_that_they_may_and_a_stranger_why_not(desk: DeskSite) -> None:
    assert (told(desk, PI, MOUS.uid)["entitled"], told(desk, PI, MOUS.uid)["entitlement"]) == (True, "pi")
    assert told(desk, DELEGEE, MOUS.uid)["entitlement"] == "delegee"
    stranger = told(desk, STRANGER, MOUS.uid)
    assert (stranger["entitled"], stranger["reason"]) == (False, "not_entitled")
    assert "public" in str(stranger["text"])


def test_public_data_and_calibrators_are_for_everybody(desk: DeskSite) -> None:
    assert told(desk, STRANGER, CORRUPTED.uid)["entitlement"] == "public"
    assert told(desk, STRANGER, MOUS.uid, "&field=J0510%2B1800")["entitlement"] == "calibrators"


def test_the_project_is_found_and_one_that_is_given_must_be_right(desk: DeskSite) -> None:
    assert told(desk, PI, MOUS.uid)["project_code"] == MOUS.project.code
    wrong = told(desk, PI, MOUS.uid, "&project=2012.1.00001.S")
    assert wrong["reason"] == "mous_of_other_project"


def test_what_cannot_be_had_is_said_with_its_reason(desk: DeskSite) -> None:
    assert told(desk, PI, UNKNOWN_MOUS)["reason"] == "invalid_mous_uid"
    assert told(desk, PI, IN_QA3.uid)["reason"] == "qa3_in_progress"


ALL = Selection()


def delivered(mous: str, *, sizes: tuple[int, ...], minutes: float, selection: Selection = ALL) -> RequestRecord:
    blocks = tuple(BlockRecord(eb_uid=f"uid://A002/X1/X{number}", size=size) for number, size in enumerate(sizes))
    files = (DeliveredFile(name="x.tar", size=sum(sizes), sha256="a" * 64),)
    end = NOW + timedelta(minutes=minutes)
    delivery = DeliveryRecord(address="x", files=files, announced=end, expires=end + timedelta(days=28))
    return RequestRecord(id=uuid4(), mous=mous, selection=selection, submitted=NOW, blocks=blocks, delivery=delivery)


ASKED = REQUEST.model_copy(update={"selection": Selection()})


def test_a_mous_that_was_delivered_before_will_be_as_large_and_take_as_long() -> None:
    past = [delivered("other", sizes=(5,), minutes=1), delivered(ASKED.mous_uid, sizes=(10, 20), minutes=30)]
    assert estimate(ASKED, 2, past=past) == (30, 1800.0, "this data was delivered before")


def test_else_the_median_of_past_deliveries_counts_block_by_block() -> None:
    past = [delivered("a", sizes=(10,), minutes=10), delivered("b", sizes=(20, 20), minutes=20)]
    assert estimate(ASKED, 3, past=past)[:2] == (None, None)
    past.append(delivered("c", sizes=(90,), minutes=60))
    assert estimate(ASKED, 3, past=past) == (60, 1200.0, "the median of the last 3 deliveries")


def test_calibrators_are_compared_with_calibrators_alone() -> None:
    calibrators = Selection(calibrator_fields=("J0510+1800",))
    past = [delivered(name, sizes=(10,), minutes=10, selection=calibrators) for name in "abc"]
    assert estimate(ASKED, 1, past=past)[0] is None
    asked = ASKED.model_copy(update={"selection": Selection(calibrator_fields=("J0321+1234",))})
    assert estimate(asked, 1, past=past)[0] == 10

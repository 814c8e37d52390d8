from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from contracts.envelope import Event
from contracts.identifiers import MousUid, ProjectCode
from contracts.messages import (
    ProductsReady,
    ReleaseGranted,
    ReleaseWithheld,
    RequestAccepted,
    RequestCancelled,
    RequestRefused,
    RequestSubmitted,
)
from contracts.messages.parts import Entitlement, MailKind, RestoreRequest, Selection
from contracts.reasons import ReasonCode
from observatory.metadata import set_release_date, set_state
from observatory.metadata_demo import (
    CALIBRATOR_FIELDS,
    CORRUPTED,
    CYCLE_0_MOUS,
    CYCLE_0_PROJECT,
    DELEGEE,
    IN_QA3,
    MOUS,
    NOT_DELIVERED,
    NOTHING_PASSED,
    PI,
    PROPRIETARY,
    STRANGER,
    TRUNCATED,
    UNKNOWN_MOUS,
)
from observatory.metadata_entities import DemoAccount
from services.entitlement_checker.active import ActiveRequests
from services.entitlement_checker.service import EntitlementChecker
from services.entitlement_checker.settings import EntitlementCheckerSettings
from shared.cancellation import cancel
from shared.ends import RequestEnd, mark_end
from shared.entitlement.decide import MousFacts, PersonFacts
from shared.errors import DependencyAwayError
from shared.objects import DirectorySettings, open_store
from tests.support.archive_tables import ArchiveTables
from tests.support.delivery import RecordingDelivery
from tests.support.samples import BLOCK
from tests.unit.services.entitlement_checker.answers import said


def request_of(
    account: DemoAccount,
    mous_uid: MousUid = MOUS.uid,
    code: ProjectCode = MOUS.project.code,
    fields: tuple[str, ...] = (),
) -> RestoreRequest:
    return RestoreRequest(
        request_id=uuid4(),
        project_code=code,
        mous_uid=mous_uid,
        user_name=account.name,
        user_email=account.email,
        ticket="16140",
        selection=Selection(calibrator_fields=fields),
    )


@pytest.mark.parametrize(
    ("request_", "entitlement"),
    [
        (request_of(PI), Entitlement.PI),
        (request_of(DELEGEE), Entitlement.DELEGEE),
        (request_of(STRANGER, fields=CALIBRATOR_FIELDS), Entitlement.CALIBRATORS),
        (request_of(STRANGER, CORRUPTED.uid, CORRUPTED.project.code), Entitlement.PUBLIC),
        (request_of(STRANGER, TRUNCATED.uid, TRUNCATED.project.code), Entitlement.PUBLIC),
    ],
    ids=["PI", "delegee", "calibrators", "public", "public too"],
)
def test_the_demos_entitled_requests_are_accepted(
    service: EntitlementChecker, request_: RestoreRequest, entitlement: Entitlement
) -> None:
    answer = said(service, RequestSubmitted(request=request_))
    assert answer == RequestAccepted(request=request_, entitlement=entitlement)


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (request_of(PI, CYCLE_0_MOUS, CYCLE_0_PROJECT), ReasonCode.CYCLE_0),
        (request_of(PI, UNKNOWN_MOUS), ReasonCode.INVALID_MOUS_UID),
        (request_of(PI, code=CORRUPTED.project.code), ReasonCode.MOUS_OF_OTHER_PROJECT),
        (request_of(STRANGER), ReasonCode.NOT_ENTITLED),
        (request_of(PI, NOT_DELIVERED.uid), ReasonCode.MOUS_NOT_DELIVERED),
        (request_of(PI, IN_QA3.uid), ReasonCode.QA3_IN_PROGRESS),
        (request_of(PI, NOTHING_PASSED.uid), ReasonCode.NO_QA0_PASS),
        (
            request_of(DemoAccount(account_id="x", first_name="X", last_name="Y", email="nobody@example.org")),
            ReasonCode.UNKNOWN_USER,
        ),
    ],
    ids=lambda value: value.value if isinstance(value, ReasonCode) else "",
)
def test_the_demos_other_requests_are_refused(
    service: EntitlementChecker, request_: RestoreRequest, reason: ReasonCode
) -> None:
    answer = said(service, RequestSubmitted(request=request_))
    assert isinstance(answer, RequestRefused)
    assert answer.reason is reason
    assert answer.request == request_


def test_a_user_nobody_knows_may_have_calibrators(service: EntitlementChecker) -> None:
    nobody = DemoAccount(account_id="x", first_name="X", last_name="Y", email="nobody@example.org")
    answer = said(service, RequestSubmitted(request=request_of(nobody, fields=CALIBRATOR_FIELDS)))
    assert isinstance(answer, RequestAccepted)


def test_a_result_is_released_if_nothing_has_changed(service: EntitlementChecker) -> None:
    ready = ProductsReady(request=request_of(PI), blocks=(BLOCK,))
    granted = ReleaseGranted(request=ready.request, blocks=(BLOCK,), entitlement=Entitlement.PI)
    assert said(service, ready) == granted


def test_the_result_of_a_cancelled_request_is_not_released(service: EntitlementChecker, tmp_path: Path) -> None:
    request = request_of(PI)
    objects = open_store(DirectorySettings(root=tmp_path / "objects"))
    cancel(objects, RequestCancelled(request_id=request.request_id, mous_uid=request.mous_uid, by="apereira"))
    event = Event.first(ProductsReady(request=request, blocks=(BLOCK,)), source="/alma-restore/test")
    assert service.handle(event, RecordingDelivery()) == []


def test_d7_a_result_is_withheld_if_qa3_began_meanwhile(service: EntitlementChecker, tables: ArchiveTables) -> None:
    request = request_of(PI)
    assert isinstance(said(service, RequestSubmitted(request=request)), RequestAccepted)
    tables.change(lambda connection: set_state(connection, MOUS.uid, "QA3InProgress"))
    answer = said(service, ProductsReady(request=request, blocks=(BLOCK,)))
    assert isinstance(answer, ReleaseWithheld)
    assert answer.reason is ReasonCode.QA3_IN_PROGRESS


def test_d7_a_result_is_withheld_if_the_release_date_was_clawed_back(
    service: EntitlementChecker, tables: ArchiveTables
) -> None:
    request = request_of(STRANGER, CORRUPTED.uid, CORRUPTED.project.code)
    assert isinstance(said(service, RequestSubmitted(request=request)), RequestAccepted)
    tables.change(lambda connection: set_release_date(connection, CORRUPTED, PROPRIETARY))
    answer = said(service, ProductsReady(request=request, blocks=(BLOCK,)))
    assert isinstance(answer, ReleaseWithheld)
    assert answer.reason is ReasonCode.NOT_ENTITLED
    assert "proprietary until 2099-01-01" in answer.detail


def test_d8_a_database_that_is_away_is_no_refusal_and_back_again_the_request_goes_on(
    service: EntitlementChecker, tables: ArchiveTables
) -> None:
    submitted = RequestSubmitted(request=request_of(PI))
    assert isinstance(said(service, submitted), RequestAccepted)
    hidden = tables.path.rename(tables.path.with_suffix(".away"))
    with pytest.raises(DependencyAwayError):
        said(service, submitted)
    assert not service.is_ready()
    hidden.rename(tables.path)
    assert service.is_ready()
    assert isinstance(said(service, submitted), RequestAccepted)


def test_d1_a_cycle_0_request_is_refused_while_the_database_is_away(
    service: EntitlementChecker, tables: ArchiveTables
) -> None:
    tables.path.unlink()
    answer = said(service, RequestSubmitted(request=request_of(PI, CYCLE_0_MOUS, CYCLE_0_PROJECT)))
    assert isinstance(answer, RequestRefused)
    assert answer.reason is ReasonCode.CYCLE_0


class CalibratorRecords:
    """Knows a delivered MOUS, and fails a test that asks for a person."""

    def together(self) -> AbstractContextManager[object]:
        return nullcontext()

    def mous(self, mous_uid: MousUid) -> MousFacts:
        return MousFacts(
            project_code=MOUS.project.code,
            state="Delivered",
            has_member_units=False,
            passed_blocks=1,
            release_dates=(datetime(2099, 1, 1, tzinfo=UTC),),
        )

    def person(self, request: RestoreRequest) -> PersonFacts:
        pytest.fail("the entitlement query was made for calibrators")

    def is_ready(self) -> bool:
        return True

    def close(self) -> None:
        """Have nothing to release."""


def test_d3_the_entitlement_query_is_not_made_for_calibrators(tables: ArchiveTables, tmp_path: Path) -> None:
    settings = EntitlementCheckerSettings(database=tables.settings())
    objects = open_store(DirectorySettings(root=tmp_path / "objects"))
    active = ActiveRequests(objects=objects, longest=timedelta(days=7), clock=lambda: datetime.now(UTC))
    service = EntitlementChecker(settings=settings, records=CalibratorRecords(), active=active)
    request = request_of(STRANGER, fields=CALIBRATOR_FIELDS)
    assert isinstance(said(service, RequestSubmitted(request=request)), RequestAccepted)


def test_a_repeated_request_is_answered_with_the_same_event(service: EntitlementChecker) -> None:
    event = Event.first(RequestSubmitted(request=request_of(PI)), source="/test")
    first, second = (service.handle(event, RecordingDelivery()) for _ in range(2))
    assert [answer.id for answer in first] == [answer.id for answer in second]


def test_a_request_that_comes_again_is_accepted_again_though_qa3_began_meanwhile(
    service: EntitlementChecker, tables: ArchiveTables
) -> None:
    submitted = RequestSubmitted(request=request_of(PI))
    first = said(service, submitted)
    tables.change(lambda connection: set_state(connection, MOUS.uid, "QA3InProgress"))
    assert said(service, submitted) == first
    assert isinstance(said(service, RequestSubmitted(request=request_of(PI))), RequestRefused)


def test_a_stranger_gets_nothing_by_the_id_of_another_ones_request(service: EntitlementChecker) -> None:
    request = request_of(PI)
    assert isinstance(said(service, RequestSubmitted(request=request)), RequestAccepted)
    borrowed = request_of(STRANGER).model_copy(update={"request_id": request.request_id})
    refusal = said(service, RequestSubmitted(request=borrowed))
    assert isinstance(refusal, RequestRefused)
    assert refusal.reason is ReasonCode.NOT_ENTITLED


def test_it_listens_to_requests_and_to_results(service: EntitlementChecker) -> None:
    (subscription,) = service.subscriptions()
    assert subscription.queue == service.name == "entitlement-checker"
    assert set(subscription.topics) == {"request.submitted", "products.ready"}


def test_i5_a_second_active_request_is_refused_with_the_first_ones_ticket_unless_it_is_forced(
    service: EntitlementChecker,
) -> None:
    first = request_of(PI)
    said(service, RequestSubmitted(request=first))
    refusal = said(service, RequestSubmitted(request=request_of(DELEGEE)))
    assert isinstance(refusal, RequestRefused)
    assert refusal.reason is ReasonCode.ALREADY_ACTIVE
    assert f"request {first.request_id} of helpdesk ticket 16140 is under way" in refusal.detail
    forced = request_of(DELEGEE).model_copy(update={"force": True})
    assert isinstance(said(service, RequestSubmitted(request=forced)), RequestAccepted)


def test_i5_a_request_that_would_be_refused_anyway_is_refused_for_that_reason(service: EntitlementChecker) -> None:
    said(service, RequestSubmitted(request=request_of(PI)))
    refusal = said(service, RequestSubmitted(request=request_of(STRANGER)))
    assert isinstance(refusal, RequestRefused)
    assert refusal.reason is ReasonCode.NOT_ENTITLED


def test_i5_a_request_sent_twice_is_one_even_in_events_of_different_ids(service: EntitlementChecker) -> None:
    submitted = RequestSubmitted(request=request_of(PI))
    ids = {
        answer.id
        for event in (Event.first(submitted, source="/test") for _ in range(2))
        for answer in service.handle(event, RecordingDelivery())
    }
    assert len(ids) == 1


def test_i5_a_request_that_is_over_is_not_begun_again(service: EntitlementChecker, tmp_path: Path) -> None:
    request = request_of(PI)
    end = RequestEnd(kind=MailKind.DELIVERED, mail_id=uuid4(), ended=datetime.now(UTC))
    objects = open_store(DirectorySettings(root=tmp_path / "objects"))
    mark_end(objects, request.request_id, end)
    objects.close()
    event = Event.first(RequestSubmitted(request=request), source="/test")
    assert service.handle(event, RecordingDelivery()) == []

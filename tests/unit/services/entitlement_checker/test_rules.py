"""Every rule of the procedure by its id, through the whole service."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

import pytest
from sqlalchemy import Connection, delete, update

from contracts.identifiers import MousUid, ProjectCode
from contracts.messages import Message, ProductsReady, RequestSubmitted
from contracts.messages.parts import Entitlement, RestoreRequest, Selection
from contracts.reasons import ReasonCode
from observatory import metadata_demo as demo
from observatory.metadata import set_release_date, set_state
from services.entitlement_checker.service import EntitlementChecker
from shared.archive_db.tables import ACCOUNT, BMMV_OBSPROPOSAL, PROJECT_DELEGEE
from shared.errors import DependencyAwayError
from tests.support.archive_tables import ArchiveTables
from tests.support.samples import BLOCK
from tests.unit.services.entitlement_checker.answers import said

REQUEST_ID = UUID("33333333-3333-4333-8333-333333333333")
Change = Callable[[Connection], object]


def asked(
    email: str = demo.PI.email,
    mous: MousUid = demo.MOUS.uid,
    code: ProjectCode = demo.PROJECT.code,
    fields: tuple[str, ...] = (),
    account: str | None = None,
) -> RestoreRequest:
    return RestoreRequest(
        request_id=REQUEST_ID,
        project_code=code,
        mous_uid=mous,
        user_name="Anybody",
        user_email=email,
        user_account=account,
        ticket="16140",
        selection=Selection(calibrator_fields=fields),
    )


def public(connection: Connection) -> None:
    set_release_date(connection, demo.MOUS, demo.PUBLIC)


def in_state(state: str) -> Change:
    return lambda connection: set_state(connection, demo.MOUS.uid, state)


STRANGER, NOBODY, CALIBRATORS = demo.STRANGER.email, "nobody@example.org", demo.CALIBRATOR_FIELDS
GROUP = MousUid(demo.MOUS.gous_uid)
Answer = ReasonCode | Entitlement


@dataclass(frozen=True)
class Row:
    """A rule, what is asked, what is changed in the tables before, and the answer."""

    rule: str
    case: str
    request: RestoreRequest
    answer: Answer
    change: Change | None = None


ON_REQUEST = (
    Row("D1", "Cycle 0", asked(mous=demo.CYCLE_0_MOUS, code=demo.CYCLE_0_PROJECT), ReasonCode.CYCLE_0),
    Row("D1", "Cycle 0, calibrators", asked(code=demo.CYCLE_0_PROJECT, fields=CALIBRATORS), ReasonCode.CYCLE_0),
    Row("D2", "no row", asked(mous=demo.UNKNOWN_MOUS), ReasonCode.INVALID_MOUS_UID),
    Row("D2", "a Group ObsUnitSet", asked(mous=GROUP), ReasonCode.INVALID_MOUS_UID),
    Row("D2", "other project", asked(code=demo.PUBLIC_PROJECT.code), ReasonCode.MOUS_OF_OTHER_PROJECT),
    Row("D2", "unknown user", asked(NOBODY), ReasonCode.UNKNOWN_USER),
    Row("D2", "unknown user, public data", asked(NOBODY), ReasonCode.UNKNOWN_USER, public),
    Row("D2", "two users", asked(demo.PI.email, account=demo.STRANGER.account_id), ReasonCode.UNKNOWN_USER),
    Row("D3", "calibrators, stranger", asked(STRANGER, fields=CALIBRATORS), Entitlement.CALIBRATORS),
    Row("D3", "calibrators, unknown user", asked(NOBODY, fields=CALIBRATORS), Entitlement.CALIBRATORS),
    Row("D3", "unknown MOUS", asked(mous=demo.UNKNOWN_MOUS, fields=CALIBRATORS), ReasonCode.INVALID_MOUS_UID),
    Row("D3", "not delivered", asked(mous=demo.NOT_DELIVERED.uid, fields=CALIBRATORS), ReasonCode.MOUS_NOT_DELIVERED),
    Row("D3", "QA3", asked(mous=demo.IN_QA3.uid, fields=CALIBRATORS), ReasonCode.QA3_IN_PROGRESS),
    Row("D3", "no pass", asked(mous=demo.NOTHING_PASSED.uid, fields=CALIBRATORS), ReasonCode.NO_QA0_PASS),
    Row("D4", "public", asked(STRANGER), Entitlement.PUBLIC, public),
    Row("D4", "PI by e-mail", asked(demo.PI.email.upper()), Entitlement.PI),
    Row("D4", "PI by account", asked("new@example.org", account=demo.PI.account_id), Entitlement.PI),
    Row("D4", "delegee", asked(demo.DELEGEE.email), Entitlement.DELEGEE),
    Row("D4", "stranger", asked(STRANGER), ReasonCode.NOT_ENTITLED),
    Row("D5", "not delivered", asked(mous=demo.NOT_DELIVERED.uid), ReasonCode.MOUS_NOT_DELIVERED),
    Row("D5", "QA3", asked(mous=demo.IN_QA3.uid), ReasonCode.QA3_IN_PROGRESS),
    Row("D5", "in delivery", asked(), ReasonCode.MOUS_NOT_DELIVERED, in_state("DeliveryInProgress")),
    Row("D6", "no pass", asked(mous=demo.NOTHING_PASSED.uid), ReasonCode.NO_QA0_PASS),
)
BEFORE_RELEASE = (
    Row("D7", "nothing changed", asked(), Entitlement.PI),
    Row("D7", "clawed back", asked(STRANGER), ReasonCode.NOT_ENTITLED),
    Row("D7", "QA3 began", asked(), ReasonCode.QA3_IN_PROGRESS, in_state("QA3InProgress")),
    Row("D7", "taken back", asked(), ReasonCode.MOUS_NOT_DELIVERED, in_state("ReadyForReview")),
    Row(
        "D7",
        "PI changed",
        asked(),
        ReasonCode.NOT_ENTITLED,
        lambda connection: connection.execute(update(BMMV_OBSPROPOSAL).values(PI_USERID=demo.STRANGER.account_id)),
    ),
    Row(
        "D7",
        "delegation ended",
        asked(demo.DELEGEE.email),
        ReasonCode.NOT_ENTITLED,
        lambda connection: connection.execute(delete(PROJECT_DELEGEE)),
    ),
    Row(
        "D7",
        "account closed",
        asked(),
        ReasonCode.UNKNOWN_USER,
        lambda connection: connection.execute(update(ACCOUNT).values(ACTIVE="F")),
    ),
    Row("D7", "calibrators", asked(STRANGER, fields=CALIBRATORS), Entitlement.CALIBRATORS),
    Row("D7", "calibrators in QA3", asked(fields=CALIBRATORS), ReasonCode.QA3_IN_PROGRESS, in_state("QA3InProgress")),
)
WHILE_AWAY = (
    Row("D8", "entitled", asked(), Entitlement.PI),
    Row("D8", "refused once asked", asked(STRANGER), ReasonCode.NOT_ENTITLED),
    Row("D8", "calibrators", asked(STRANGER, fields=CALIBRATORS), Entitlement.CALIBRATORS),
)


def name(row: Row) -> str:
    return f"{row.rule} {row.case}"


def test_every_rule_on_decisions_has_a_row() -> None:
    rows = (*ON_REQUEST, *BEFORE_RELEASE, *WHILE_AWAY)
    assert {row.rule for row in rows} == {f"D{number}" for number in range(1, 9)}


@pytest.mark.parametrize("row", ON_REQUEST, ids=name)
def test_a_request_is_answered_as_the_rule_says(row: Row, service: EntitlementChecker, tables: ArchiveTables) -> None:
    if row.change is not None:
        tables.change(row.change)
    answer = said(service, RequestSubmitted(request=row.request))
    assert answer.topic == ("request.accepted" if isinstance(row.answer, Entitlement) else "request.refused")
    assert row.answer in (getattr(answer, "entitlement", None), getattr(answer, "reason", None))


@pytest.mark.parametrize("row", BEFORE_RELEASE, ids=name)
def test_a_result_is_released_or_withheld_by_what_holds_at_that_moment(
    row: Row, service: EntitlementChecker, tables: ArchiveTables
) -> None:
    if row.case == "clawed back":
        tables.change(public)
    assert said(service, RequestSubmitted(request=row.request)).topic == "request.accepted"
    if row.case == "clawed back":
        tables.change(lambda connection: set_release_date(connection, demo.MOUS, demo.PROPRIETARY))
    if row.change is not None:
        tables.change(row.change)
    answer = said(service, ProductsReady(request=row.request, blocks=(BLOCK,)))
    assert answer.topic == ("release.granted" if isinstance(row.answer, Entitlement) else "release.withheld")
    assert getattr(answer, "reason", row.answer) == row.answer


@pytest.mark.parametrize("row", WHILE_AWAY, ids=name)
@pytest.mark.parametrize("message", [RequestSubmitted, ProductsReady], ids=["request", "release"])
def test_a_database_that_is_away_is_no_answer_and_back_again_gives_the_right_one(
    row: Row, message: type[Message], service: EntitlementChecker, tables: ArchiveTables
) -> None:
    asking = message.model_validate({"request": row.request, "blocks": (BLOCK,)})
    hidden = tables.path.rename(tables.path.with_suffix(".away"))
    with pytest.raises(DependencyAwayError):
        said(service, asking)
    hidden.rename(tables.path)
    answer = said(service, asking)
    assert answer.topic.endswith(("accepted", "granted")) == isinstance(row.answer, Entitlement)
    assert getattr(answer, "reason", row.answer) == row.answer

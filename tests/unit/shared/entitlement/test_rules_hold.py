"""No combination of facts is accepted against a rule of the procedure, and none is refused without one."""

from datetime import UTC, datetime, timedelta

from hypothesis import event, given, settings
from hypothesis import strategies as st

from contracts.identifiers import ProjectCode
from contracts.messages.parts import Entitlement, Selection
from contracts.reasons import ReasonCode
from shared.entitlement.decide import Accept, Facts, MousFacts, PersonFacts, Refuse, decide
from tests.support.samples import REQUEST

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
CODES = (REQUEST.project_code, ProjectCode("2011.0.00001.S"), ProjectCode("2016.1.00001.S"))
STATES = ("Delivered", "QA3InProgress", "DeliveryInProgress", "Verified", "delivered", "Deleted", "")
NAMES = st.frozensets(st.sampled_from(["me", "pi", "delegee", "other"]), max_size=3)
DATES = st.one_of(
    st.none(),
    st.sampled_from([NOW, NOW - timedelta(microseconds=1), NOW + timedelta(microseconds=1)]),
    st.datetimes(timezones=st.just(UTC)),
)
MOUSS = st.builds(
    MousFacts,
    project_code=st.sampled_from([*CODES[:1] * 5, *CODES, None]),
    state=st.one_of(st.none(), st.sampled_from(STATES), st.sampled_from(STATES[:2]), st.text(max_size=20)),
    has_member_units=st.sampled_from([False, False, False, True]),
    passed_blocks=st.integers(0, 3),
    release_dates=st.lists(DATES, max_size=3).map(tuple),
)
LIKELY_MOUSS = st.builds(
    MousFacts,
    project_code=st.just(REQUEST.project_code),
    state=st.just("Delivered"),
    has_member_units=st.just(False),
    passed_blocks=st.integers(1, 3),
    release_dates=st.lists(DATES, max_size=2).map(tuple),
)
PEOPLE = st.builds(PersonFacts, by_account=NAMES, by_email=NAMES, pis=NAMES, delegees=NAMES)


@st.composite
def facts(draw: st.DrawFn) -> Facts:
    fields = draw(st.sampled_from([(), ("J0510+1800",)]))
    code = draw(st.sampled_from([*CODES[:1] * 8, *CODES]))
    request = REQUEST.model_copy(
        update={"project_code": code, "selection": Selection(calibrator_fields=fields), "force": draw(st.booleans())}
    )
    return Facts(
        request=request,
        now=NOW,
        mous=draw(st.one_of(LIKELY_MOUSS, MOUSS, st.none() | MOUSS)),
        person=None if fields else draw(PEOPLE),
    )


def broken_rules(given_: Facts) -> dict[str, ReasonCode]:
    """List the rules that stand against a request in the procedure's order, each by its own words."""
    mous, request = given_.mous, given_.request
    broken: dict[str, ReasonCode] = {}
    if request.project_code.split(".")[:2] == ["2011", "0"]:
        broken["D1 Cycle 0"] = ReasonCode.CYCLE_0
    if mous is None or mous.has_member_units:
        broken["D2 no such MOUS"] = ReasonCode.INVALID_MOUS_UID
    if mous is not None and mous.project_code != request.project_code:
        broken["D2 other project"] = ReasonCode.MOUS_OF_OTHER_PROJECT
    if mous is not None and mous.passed_blocks == 0:
        broken["D6 nothing passed"] = ReasonCode.NO_QA0_PASS
    broken |= broken_by_person(given_)
    if mous is not None and mous.state == "QA3InProgress":
        broken["D5 QA3"] = ReasonCode.QA3_IN_PROGRESS
    elif mous is not None and mous.state != "Delivered":
        broken["D5 not delivered"] = ReasonCode.MOUS_NOT_DELIVERED
    return broken


def broken_by_person(given_: Facts) -> dict[str, ReasonCode]:
    """List the rules on who asks, which nobody asks about calibrators."""
    mous, person = given_.mous, given_.person
    broken: dict[str, ReasonCode] = {}
    if person is None:
        return broken
    mine = person.by_account | person.by_email
    two = bool(person.by_account and person.by_email) and person.by_account.isdisjoint(person.by_email)
    if not mine or two:
        broken["D2 unknown user"] = ReasonCode.UNKNOWN_USER
    dates = mous.release_dates if mous is not None else ()
    is_public = bool(dates) and not any(date is None or date > given_.now for date in dates)
    if not is_public and mine.isdisjoint(person.pis) and mine.isdisjoint(person.delegees):
        broken["D4 not entitled"] = ReasonCode.NOT_ENTITLED
    return broken


@settings(max_examples=600, deadline=None, derandomize=True)
@given(facts())
def test_nothing_is_accepted_against_a_rule_nor_refused_without_one(given_: Facts) -> None:
    broken = broken_rules(given_)
    match decide(given_):
        case Accept(entitlement=entitlement):
            event(f"accepted: {entitlement}")
            assert not broken
        case Refuse(reason=reason, detail=detail):
            event(f"refused: {reason}")
            assert reason is next(iter(broken.values())), (
                "the first rule in the procedure's order is the one that is told"
            )
            assert detail


@settings(max_examples=300, deadline=None, derandomize=True)
@given(facts())
def test_an_entitlement_is_named_for_what_it_is(given_: Facts) -> None:
    match decide(given_):
        case Accept(entitlement=Entitlement.CALIBRATORS):
            assert given_.request.selection.calibrators_only
        case Accept(entitlement=Entitlement.PUBLIC):
            assert given_.mous is not None
            assert all(date is not None and date <= NOW for date in given_.mous.release_dates)
        case Accept(entitlement=Entitlement.PI):
            assert given_.person is not None
            assert given_.person.accounts & given_.person.pis
        case Accept(entitlement=Entitlement.DELEGEE):
            assert given_.person is not None
            assert given_.person.accounts & given_.person.delegees
        case Refuse():
            pass

"""Every rule on decisions, by its id."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from contracts.identifiers import ProjectCode
from contracts.messages.parts import Entitlement, Selection
from contracts.reasons import ReasonCode
from shared.entitlement.decide import (
    Accept,
    Facts,
    MousFacts,
    PersonFacts,
    Refuse,
    Verdict,
    decide,
    refuse_unasked,
)
from tests.support.samples import REQUEST

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LATER, EARLIER = NOW + timedelta(days=1), NOW - timedelta(days=1)
NOBODY: frozenset[str] = frozenset()
ME = frozenset({"me"})

EVERYTHING = REQUEST.model_copy(update={"selection": Selection(), "user_account": None})
CALIBRATORS = EVERYTHING.model_copy(update={"selection": Selection(calibrator_fields=("J0510+1800",))})
CYCLE_0 = EVERYTHING.model_copy(update={"project_code": ProjectCode("2011.0.00001.S")})

MOUS = MousFacts(
    project_code=EVERYTHING.project_code,
    state="Delivered",
    has_member_units=False,
    passed_blocks=4,
    release_dates=(LATER,),
)
PUBLIC = replace(MOUS, release_dates=(EARLIER,))
STRANGER = PersonFacts(by_account=NOBODY, by_email=ME, pis=frozenset({"pi"}), delegees=frozenset({"delegee"}))
PI = replace(STRANGER, pis=ME)
DELEGEE = replace(STRANGER, delegees=ME)
UNKNOWN = replace(PI, by_email=NOBODY)


def facts(mous: MousFacts | None = MOUS, person: PersonFacts | None = PI, request: object = EVERYTHING) -> Facts:
    assert isinstance(request, type(EVERYTHING))
    return Facts(request=request, now=NOW, mous=mous, person=person)


REFUSALS: list[tuple[str, Facts, ReasonCode]] = [
    ("D1 Cycle 0", facts(request=CYCLE_0), ReasonCode.CYCLE_0),
    ("D1 Cycle 0 before an unknown MOUS", facts(None, request=CYCLE_0), ReasonCode.CYCLE_0),
    ("D2 unknown MOUS", facts(None), ReasonCode.INVALID_MOUS_UID),
    ("D2 no MOUS but a group", facts(replace(MOUS, has_member_units=True)), ReasonCode.INVALID_MOUS_UID),
    ("D2 other project", facts(replace(MOUS, project_code="2016.1.00001.S")), ReasonCode.MOUS_OF_OTHER_PROJECT),
    ("D2 no project", facts(replace(MOUS, project_code=None)), ReasonCode.MOUS_OF_OTHER_PROJECT),
    ("D2 unknown user", facts(person=UNKNOWN), ReasonCode.UNKNOWN_USER),
    ("D2 unknown user of public data", facts(PUBLIC, UNKNOWN), ReasonCode.UNKNOWN_USER),
    ("D2 two people's identity", facts(person=replace(PI, by_account=frozenset({"x"}))), ReasonCode.UNKNOWN_USER),
    ("D3 calibrators of an unknown MOUS", facts(None, None, CALIBRATORS), ReasonCode.INVALID_MOUS_UID),
    (
        "D3 calibrators of another project",
        facts(replace(MOUS, project_code="2016.1.00001.S"), None, CALIBRATORS),
        ReasonCode.MOUS_OF_OTHER_PROJECT,
    ),
    (
        "D3 calibrators not delivered",
        facts(replace(MOUS, state="Verified"), None, CALIBRATORS),
        ReasonCode.MOUS_NOT_DELIVERED,
    ),
    (
        "D3 calibrators in QA3",
        facts(replace(MOUS, state="QA3InProgress"), None, CALIBRATORS),
        ReasonCode.QA3_IN_PROGRESS,
    ),
    ("D3 calibrators not passed", facts(replace(MOUS, passed_blocks=0), None, CALIBRATORS), ReasonCode.NO_QA0_PASS),
    ("D4 neither public nor entitled", facts(person=STRANGER), ReasonCode.NOT_ENTITLED),
    ("D4 no release date", facts(replace(MOUS, release_dates=(None,)), STRANGER), ReasonCode.NOT_ENTITLED),
    ("D4 no delivery row", facts(replace(MOUS, release_dates=()), STRANGER), ReasonCode.NOT_ENTITLED),
    (
        "D4 one of several not public",
        facts(replace(MOUS, release_dates=(EARLIER, LATER)), STRANGER),
        ReasonCode.NOT_ENTITLED,
    ),
    ("D5 not delivered", facts(replace(MOUS, state="ReadyForReview")), ReasonCode.MOUS_NOT_DELIVERED),
    ("D5 no state", facts(replace(MOUS, state=None)), ReasonCode.MOUS_NOT_DELIVERED),
    ("D5 being delivered", facts(replace(PUBLIC, state="DeliveryInProgress")), ReasonCode.MOUS_NOT_DELIVERED),
    ("D5 QA3", facts(replace(PUBLIC, state="QA3InProgress")), ReasonCode.QA3_IN_PROGRESS),
    ("D6 nothing passed", facts(replace(PUBLIC, passed_blocks=0)), ReasonCode.NO_QA0_PASS),
    ("D6 before D4", facts(replace(MOUS, passed_blocks=0), STRANGER), ReasonCode.NO_QA0_PASS),
    ("D2 before D4, D5", facts(replace(MOUS, state="Verified"), UNKNOWN), ReasonCode.UNKNOWN_USER),
    ("D4 before D5", facts(replace(MOUS, state="Verified"), STRANGER), ReasonCode.NOT_ENTITLED),
    ("D4 before D5, QA3", facts(replace(MOUS, state="QA3InProgress"), STRANGER), ReasonCode.NOT_ENTITLED),
]
ACCEPTANCES: list[tuple[str, Facts, Entitlement]] = [
    ("D3 calibrators, nobody is looked up", facts(person=None, request=CALIBRATORS), Entitlement.CALIBRATORS),
    ("D4 public", facts(PUBLIC, STRANGER), Entitlement.PUBLIC),
    ("D4 public from the release date on", facts(replace(MOUS, release_dates=(NOW,)), STRANGER), Entitlement.PUBLIC),
    ("D4 PI by e-mail", facts(person=PI), Entitlement.PI),
    ("D4 PI by account", facts(person=replace(PI, by_email=NOBODY, by_account=ME)), Entitlement.PI),
    ("D4 delegee", facts(person=DELEGEE), Entitlement.DELEGEE),
    ("D3 before D4", facts(PUBLIC, None, CALIBRATORS), Entitlement.CALIBRATORS),
    ("D4 public, asked by the PI", facts(PUBLIC, PI), Entitlement.PUBLIC),
    ("D4 PI and delegee", facts(person=replace(PI, delegees=ME)), Entitlement.PI),
    ("D4 PI with one of two accounts", facts(person=replace(PI, by_email=frozenset({"me", "old"}))), Entitlement.PI),
]


@pytest.mark.parametrize(("rule", "given", "reason"), REFUSALS, ids=[row[0] for row in REFUSALS])
def test_a_request_against_a_rule_is_refused_with_its_reason(rule: str, given: Facts, reason: ReasonCode) -> None:
    verdict = decide(given)
    assert isinstance(verdict, Refuse)
    assert verdict.reason is reason
    assert verdict.detail


@pytest.mark.parametrize(("rule", "given", "entitlement"), ACCEPTANCES, ids=[row[0] for row in ACCEPTANCES])
def test_a_request_that_fits_the_rules_is_accepted(rule: str, given: Facts, entitlement: Entitlement) -> None:
    assert decide(given) == Accept(entitlement)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (facts(None), f"there is no {EVERYTHING.mous_uid}"),
        (facts(replace(MOUS, has_member_units=True)), "is a Group or Science Goal ObsUnitSet; name one of its Member"),
        (facts(replace(MOUS, project_code="2016.1.00001.S")), "belongs to project 2016.1.00001.S, not to 2"),
        (facts(replace(MOUS, project_code=None)), "belongs to no project that is known, not to 2"),
        (facts(replace(MOUS, passed_blocks=0)), f"no execution block of {EVERYTHING.mous_uid} has QA0 status Pass"),
        (facts(person=UNKNOWN), f"no active account for {EVERYTHING.user_email}"),
        (facts(person=replace(PI, by_account=frozenset({"x"}))), "belong to different users"),
        (facts(replace(MOUS, state="Verified")), f"{EVERYTHING.mous_uid} is in state Verified"),
        (facts(replace(MOUS, state=None)), f"{EVERYTHING.mous_uid} is in state unknown"),
        (facts(replace(MOUS, state="QA3InProgress")), f"{EVERYTHING.mous_uid} is in state QA3InProgress"),
        (facts(request=CYCLE_0), f"{CYCLE_0.project_code} is a project of Cycle 0"),
    ],
)
def test_a_refusal_says_what_was_found(given: Facts, words: str) -> None:
    verdict = decide(given)
    assert isinstance(verdict, Refuse)
    assert words in verdict.detail


def test_only_cycle_0_is_refused_without_asking() -> None:
    assert isinstance(refuse_unasked(CYCLE_0), Refuse)
    assert refuse_unasked(EVERYTHING) is None


@pytest.mark.parametrize(
    ("dates", "words"),
    [
        ((LATER,), "proprietary until 2026-01-03;"),
        ((EARLIER, LATER), "proprietary until 2026-01-03;"),
        ((EARLIER, None), "proprietary, no release date is set;"),
        ((None,), "proprietary, no release date is set;"),
        ((), "proprietary, no release date is set;"),
    ],
)
def test_a_refusal_says_until_when_the_data_is_proprietary(dates: tuple[datetime | None, ...], words: str) -> None:
    verdict = decide(facts(replace(MOUS, release_dates=dates), STRANGER))
    assert isinstance(verdict, Refuse)
    assert verdict.detail == f"{words} neither PI nor delegee of {EVERYTHING.project_code}: me"


def allowed(given: Facts) -> bool:
    """Say by the rules' own words, in another way than the code, whether a request may be accepted."""
    mous, person, request = given.mous, given.person, given.request
    may_be_had = (
        mous is not None
        and not mous.has_member_units
        and mous.project_code == request.project_code != CYCLE_0.project_code
        and mous.state == "Delivered"
        and mous.passed_blocks > 0
    )
    if not may_be_had or request.selection.calibrators_only:
        return may_be_had
    assert mous is not None
    assert person is not None
    known = person.accounts and not person.is_contradictory
    public = mous.release_dates not in ((), (None,), (LATER,), (EARLIER, LATER))
    return bool(known and (public or "me" in person.pis | person.delegees))


def test_no_combination_of_facts_is_accepted_against_a_rule_or_refused_without_one() -> None:
    states = ("Delivered", "QA3InProgress", "Verified", None)
    dates = ((), (None,), (LATER,), (EARLIER,), (NOW,), (EARLIER, LATER))
    codes = (EVERYTHING.project_code, CYCLE_0.project_code, None)
    mouss: list[MousFacts | None] = [
        MousFacts(project_code=code, state=state, has_member_units=group, passed_blocks=passed, release_dates=date)
        for code, state, group, passed, date in product(codes, states, (False, True), (0, 1), dates)
    ]
    people = [PI, DELEGEE, STRANGER, UNKNOWN, replace(PI, by_account=frozenset({"x"})), replace(PI, by_account=ME)]
    asked = [(EVERYTHING, person) for person in people] + [(CYCLE_0, PI), (CALIBRATORS, None)]
    outcomes = set()
    for mous, (request, person) in product([*mouss, None], asked):
        given = facts(mous, person, request)
        verdict: Verdict = decide(given)
        assert isinstance(verdict, Accept) == allowed(given), f"{verdict} for {given}"
        outcomes.add(verdict.entitlement if isinstance(verdict, Accept) else verdict.reason)
    assert len(outcomes) == len(Entitlement) + 8

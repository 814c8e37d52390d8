"""Decide who may have what: one small rule each, in one visible order, over plain facts.

The rules and their order are those of the observatory's procedure for
calibrated data on request (version 2022-04-04).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from contracts.messages.parts import Entitlement, RestoreRequest
from contracts.reasons import ReasonCode

DELIVERED = "Delivered"
QA3_IN_PROGRESS = "QA3InProgress"

_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class MousFacts:
    """What the archive's tables say of a MOUS.

    Attributes
    ----------
    project_code
        Code of the project that it belongs to; None if the tables name none.
    state
        Its state, e.g. ``Delivered``.
    has_member_units
        Whether other ObsUnitSets lie below it: then it is a Group or a Science Goal.
    passed_blocks
        Number of its execution blocks that passed QA0.
    release_dates
        Release dates of its deliveries, UTC; None is a delivery without a date.
    """

    project_code: str | None
    state: str | None
    has_member_units: bool
    passed_blocks: int
    release_dates: tuple[datetime | None, ...]


@dataclass(frozen=True, kw_only=True)
class PersonFacts:
    """What the archive's tables say of who asks; everybody stands here by account ids in lower case.

    Attributes
    ----------
    by_account
        The active account of the given account name.
    by_email
        Active accounts with the given e-mail address.
    pis
        The project's PIs.
    delegees
        Those to whom a PI has given the right to the project's data.
    """

    by_account: frozenset[str]
    by_email: frozenset[str]
    pis: frozenset[str]
    delegees: frozenset[str]

    @property
    def accounts(self) -> frozenset[str]:
        """All active accounts of the person."""
        return self.by_account | self.by_email

    @property
    def is_contradictory(self) -> bool:
        """Whether account name and e-mail address are two different people's."""
        return bool(self.by_account and self.by_email and not self.by_account & self.by_email)


@dataclass(frozen=True, kw_only=True)
class Facts:
    """All that a decision is made of.

    Attributes
    ----------
    request
        What is asked for.
    now
        When it is asked, UTC.
    mous
        The MOUS; None if there is none with this UID.
    person
        Who asks; None if only calibrators are asked for, since then nobody looks.
    """

    request: RestoreRequest
    now: datetime
    mous: MousFacts | None
    person: PersonFacts | None


@dataclass(frozen=True)
class Accept:
    """The data may go to who asked, for this cause."""

    entitlement: Entitlement


@dataclass(frozen=True)
class Refuse:
    """The data may not go to who asked; ``detail`` says what was found."""

    reason: ReasonCode
    detail: str


Verdict = Accept | Refuse


def decide(facts: Facts) -> Verdict:
    """Refuse by the first rule that stands against a request; accept only what none does and a right is there for."""
    refusal = _first(BEFORE_ENTITLEMENT, facts)
    if refusal is not None:
        return refusal
    entitlement = _first(ENTITLEMENTS, facts)
    if entitlement is None:
        return _not_entitled(facts)
    return _first(AFTER_ENTITLEMENT, facts) or Accept(entitlement)


def refuse_unasked(request: RestoreRequest) -> Refuse | None:
    """Refuse what needs no look into any table: the calibrated data of Cycle 0 is in the archive already."""
    if not request.project_code.is_cycle_0:
        return None
    return Refuse(ReasonCode.CYCLE_0, f"{request.project_code} is a project of Cycle 0")


def _first(rules: Iterable[Callable[[Facts], _T | None]], facts: Facts) -> _T | None:
    """Return what the first rule says that says something."""
    return next((said for rule in rules if (said := rule(facts)) is not None), None)


def _cycle_0(facts: Facts) -> Refuse | None:
    return refuse_unasked(facts.request)


def _mous_is_unknown(facts: Facts) -> Refuse | None:
    if facts.mous is None:
        return Refuse(ReasonCode.INVALID_MOUS_UID, f"there is no {facts.request.mous_uid}")
    if facts.mous.has_member_units:
        return Refuse(
            ReasonCode.INVALID_MOUS_UID,
            f"{facts.request.mous_uid} is a Group or Science Goal ObsUnitSet; name one of its Member ObsUnitSets",
        )
    return None


def _mous_is_of_another_project(facts: Facts) -> Refuse | None:
    mous, request = _known(facts.mous), facts.request
    if mous.project_code == request.project_code:
        return None
    owner = "no project that is known" if mous.project_code is None else f"project {mous.project_code}"
    return Refuse(
        ReasonCode.MOUS_OF_OTHER_PROJECT, f"{request.mous_uid} belongs to {owner}, not to {request.project_code}"
    )


def _nothing_passed_qa0(facts: Facts) -> Refuse | None:
    if _known(facts.mous).passed_blocks > 0:
        return None
    return Refuse(ReasonCode.NO_QA0_PASS, f"no execution block of {facts.request.mous_uid} has QA0 status Pass")


def _user_is_unknown(facts: Facts) -> Refuse | None:
    """Ask who the user is, except for calibrators: who asks for these is not looked up at all."""
    person, request = facts.person, facts.request
    if person is None:
        return None
    asked = " or ".join(filter(None, (request.user_account, request.user_email)))
    if not person.accounts:
        return Refuse(ReasonCode.UNKNOWN_USER, f"no active account for {asked}")
    if person.is_contradictory:
        return Refuse(
            ReasonCode.UNKNOWN_USER,
            f"account {request.user_account} and address {request.user_email} belong to different users",
        )
    return None


def _only_calibrators(facts: Facts) -> Entitlement | None:
    return Entitlement.CALIBRATORS if facts.request.selection.calibrators_only else None


def _data_is_public(facts: Facts) -> Entitlement | None:
    """Believe the release date of the archive alone; no date is not public, nor is one of several to come."""
    dates = _known(facts.mous).release_dates
    public = bool(dates) and all(date is not None and date <= facts.now for date in dates)
    return Entitlement.PUBLIC if public else None


def _user_is_pi(facts: Facts) -> Entitlement | None:
    person = facts.person
    return Entitlement.PI if person is not None and person.accounts & person.pis else None


def _user_is_delegee(facts: Facts) -> Entitlement | None:
    person = facts.person
    return Entitlement.DELEGEE if person is not None and person.accounts & person.delegees else None


def _not_entitled(facts: Facts) -> Refuse:
    dates = _known(facts.mous).release_dates
    known = [date for date in dates if date is not None]
    is_set = bool(known) and len(known) == len(dates)
    until = f"proprietary until {max(known):%Y-%m-%d}" if is_set else "proprietary, no release date is set"
    who = ", ".join(sorted(facts.person.accounts)) if facts.person is not None else "nobody"
    return Refuse(ReasonCode.NOT_ENTITLED, f"{until}; neither PI nor delegee of {facts.request.project_code}: {who}")


def _mous_is_not_delivered(facts: Facts) -> Refuse | None:
    state = _known(facts.mous).state
    if state == DELIVERED:
        return None
    if state == QA3_IN_PROGRESS:
        return Refuse(ReasonCode.QA3_IN_PROGRESS, f"{facts.request.mous_uid} is in state {state}")
    return Refuse(ReasonCode.MOUS_NOT_DELIVERED, f"{facts.request.mous_uid} is in state {state or 'unknown'}")


def _known(mous: MousFacts | None) -> MousFacts:
    assert mous is not None, "the rule on unknown MOUSs comes first"
    return mous


BEFORE_ENTITLEMENT: tuple[Callable[[Facts], Refuse | None], ...] = (
    _cycle_0,
    _mous_is_unknown,
    _mous_is_of_another_project,
    _nothing_passed_qa0,
    _user_is_unknown,
)
"""What the procedure has checked before anybody asks who may have the data."""

ENTITLEMENTS: tuple[Callable[[Facts], Entitlement | None], ...] = (
    _only_calibrators,
    _data_is_public,
    _user_is_pi,
    _user_is_delegee,
)
"""The causes for which somebody may have data: one is enough."""

AFTER_ENTITLEMENT: tuple[Callable[[Facts], Refuse | None], ...] = (_mous_is_not_delivered,)
"""What only those are told who may have the data: to a stranger the state of a MOUS is nothing to wait for."""

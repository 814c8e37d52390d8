"""Decide who may have what: one small rule each, in one visible order, over plain facts.

The rules and their order are those of the observatory's procedure for
calibrated data on request (version 2022-04-04).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from contracts.messages.parts import Entitlement, RestoreRequest
from contracts.reasons import ReasonCode

DELIVERED = "Delivered"
QA3_IN_PROGRESS = "QA3InProgress"


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
    """Return the verdict of the first rule that has one; who fits none is not entitled."""
    verdicts = (rule(facts) for rule in RULES)
    return next((verdict for verdict in verdicts if verdict is not None), _not_entitled(facts))


def refuse_unasked(request: RestoreRequest) -> Refuse | None:
    """Refuse what needs no look into any table: the calibrated data of Cycle 0 is in the archive already."""
    if not request.project_code.is_cycle_0:
        return None
    return Refuse(ReasonCode.CYCLE_0, f"{request.project_code} is a project of Cycle 0")


def _cycle_0(facts: Facts) -> Verdict | None:
    return refuse_unasked(facts.request)


def _mous_is_unknown(facts: Facts) -> Verdict | None:
    if facts.mous is None:
        return Refuse(ReasonCode.INVALID_MOUS_UID, f"there is no {facts.request.mous_uid}")
    if facts.mous.has_member_units:
        return Refuse(
            ReasonCode.INVALID_MOUS_UID,
            f"{facts.request.mous_uid} is a Group or Science Goal ObsUnitSet; name one of its Member ObsUnitSets",
        )
    return None


def _mous_is_of_another_project(facts: Facts) -> Verdict | None:
    mous, request = _known(facts.mous), facts.request
    if mous.project_code == request.project_code:
        return None
    owner = "no project that is known" if mous.project_code is None else f"project {mous.project_code}"
    return Refuse(
        ReasonCode.MOUS_OF_OTHER_PROJECT, f"{request.mous_uid} belongs to {owner}, not to {request.project_code}"
    )


def _user_is_unknown(facts: Facts) -> Verdict | None:
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


def _mous_is_not_delivered(facts: Facts) -> Verdict | None:
    state = _known(facts.mous).state
    if state == DELIVERED:
        return None
    if state == QA3_IN_PROGRESS:
        return Refuse(ReasonCode.QA3_IN_PROGRESS, f"{facts.request.mous_uid} is in state {state}")
    return Refuse(ReasonCode.MOUS_NOT_DELIVERED, f"{facts.request.mous_uid} is in state {state or 'unknown'}")


def _nothing_passed_qa0(facts: Facts) -> Verdict | None:
    if _known(facts.mous).passed_blocks > 0:
        return None
    return Refuse(ReasonCode.NO_QA0_PASS, f"no execution block of {facts.request.mous_uid} has QA0 status Pass")


def _only_calibrators(facts: Facts) -> Verdict | None:
    return Accept(Entitlement.CALIBRATORS) if facts.request.selection.calibrators_only else None


def _data_is_public(facts: Facts) -> Verdict | None:
    """Believe the release date of the archive alone; no date is not public, nor is one of several to come."""
    dates = _known(facts.mous).release_dates
    public = bool(dates) and all(date is not None and date <= facts.now for date in dates)
    return Accept(Entitlement.PUBLIC) if public else None


def _user_is_pi(facts: Facts) -> Verdict | None:
    person = facts.person
    return Accept(Entitlement.PI) if person is not None and person.accounts & person.pis else None


def _user_is_delegee(facts: Facts) -> Verdict | None:
    person = facts.person
    return Accept(Entitlement.DELEGEE) if person is not None and person.accounts & person.delegees else None


def _not_entitled(facts: Facts) -> Refuse:
    dates = [date for date in facts.mous.release_dates if date is not None] if facts.mous else []
    until = f"proprietary until {max(dates):%Y-%m-%d}" if dates else "proprietary, no release date is set"
    return Refuse(ReasonCode.NOT_ENTITLED, f"{until}; the user is neither PI nor delegee")


def _known(mous: MousFacts | None) -> MousFacts:
    assert mous is not None, "the rule on unknown MOUSs comes first"
    return mous


RULES: tuple[Callable[[Facts], Verdict | None], ...] = (
    _cycle_0,
    _mous_is_unknown,
    _mous_is_of_another_project,
    _user_is_unknown,
    _mous_is_not_delivered,
    _nothing_passed_qa0,
    _only_calibrators,
    _data_is_public,
    _user_is_pi,
    _user_is_delegee,
)
"""All rules in the order in which they are asked."""

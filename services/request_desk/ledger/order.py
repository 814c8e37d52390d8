"""The order of facts, and which of many alike are kept: both depend on the facts alone, never on when they came.

Progress and waiting are said again and again. Of each kind, execution block and service
only those facts are kept that could still count: the first, the newest and the
furthest. Keeping the best of a set and adding to it gives the same as keeping the best
of all, so what came twice, late or in another order leaves the same facts behind.
"""

import hashlib
from collections.abc import Callable, Iterable
from typing import Any

from services.request_desk.ledger.facts import Fact

RANKS: dict[str, int] = {
    topic: rank
    for rank, topics in enumerate(
        (
            ("ticket.submitted",),
            ("ticket.refused",),
            ("request.submitted",),
            ("request.accepted",),
            ("structure.resolved",),
            ("fetch.progressed",),
            ("artefacts.staged",),
            ("restore.ordered",),
            ("restore.started",),
            ("restore.progressed",),
            ("restore.completed", "restore.failed"),
            ("products.ready",),
            ("release.granted",),
            ("request.refused", "request.failed", "release.withheld", "delivery.announced", "request.cancelled"),
            ("delivery.expiring", "delivery.renewed", "delivery.expired"),
            ("mous.restorable", "mail.sent", "request.waiting", "request.resent"),
        )
    )
    for topic in topics
}
"""Where on the way of a request each topic stands; those that end it stand side by side, and time decides."""


def by_cause(facts: Iterable[Fact]) -> list[Fact]:
    """Sort facts as they follow from each other."""
    return sorted(facts, key=lambda fact: (RANKS.get(fact.topic, len(RANKS)), fact.said, fact.id, key_of(fact)))


def key_of(fact: Fact) -> str:
    """Name a fact among those that are kept.

    Who says a thing twice says it with the same id at another time: of what is said once the
    earliest word counts, of progress each word counts as one of its own.
    """
    if not is_said_again_and_again(fact.topic):
        return str(fact.id)
    return f"{fact.id}/{hashlib.sha256(fact.dump().encode()).hexdigest()[:16]}"


def condense(facts: Iterable[Fact]) -> dict[str, Fact]:
    """Keep the facts that count, by their keys."""
    best: dict[tuple[str, ...], Fact] = {}
    for fact in facts:
        for slot, goodness in _slots(fact):
            other = best.get(slot)
            if other is None or goodness(fact) > goodness(other):
                best[slot] = fact
    return {key_of(fact): fact for fact in best.values()}


def is_said_again_and_again(topic: str) -> bool:
    """Whether only some of the facts of a topic are kept."""
    return topic in _CONDENSED


def _slots(fact: Fact) -> list[tuple[tuple[str, ...], Callable[[Fact], Any]]]:
    """Name the places that a fact could take, each with what tells how good a fact is there; more is better."""
    if fact.topic not in _CONDENSED:
        return [((str(fact.id),), _earliest)]
    about = (fact.topic, fact.eb_uid or "", fact.service or "")
    return [((*about, name), goodness) for name, goodness in _CONDENSED[fact.topic].items()]


def _earliest(fact: Fact) -> Any:
    return -fact.said.timestamp(), fact.dump()


def _newest(fact: Fact) -> Any:
    return fact.said, fact.dump()


def _tried_most(fact: Fact) -> Any:
    return fact.attempt, fact.said, fact.dump()


def _furthest(fact: Fact) -> Any:
    """Prefer what got furthest, and of that what got there first: what a retry does again is no progress."""
    return fact.reached, -fact.said.timestamp(), fact.dump()


_CONDENSED: dict[str, dict[str, Callable[[Fact], Any]]] = {
    "fetch.progressed": {"first": _earliest, "newest": _newest, "furthest": _furthest},
    "restore.progressed": {"newest": _newest, "furthest": _furthest},
    "restore.started": {"first": _earliest, "newest": _newest, "tried most": _tried_most},
    "request.waiting": {"newest": _newest},
}

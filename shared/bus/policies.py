"""Tells which policies of a broker's operators change how our queues work; a queue's own arguments do not tell.

What counts where a policy and an argument say different things (RabbitMQ's documentation on policies, and measured
with 3.10): of numbers and ages the smaller one; of what a full queue does the policy; else the argument.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from shared.bus.topology import Queue, Topology

_SMALLER_COUNTS = {"message-ttl", "max-length", "max-length-bytes", "max-age", "delivery-limit", "consumer-timeout"}
_POLICY_COUNTS = {"overflow"}
_CHANGE_WHERE_NONE_IS_SAID = {
    "quorum": {
        "expires",
        "message-ttl",
        "max-length",
        "max-length-bytes",
        "dead-letter-exchange",
        "dead-letter-routing-key",
    },
    "classic": {"expires"},  # the one that has no room: nothing is ever in it
    "stream": set[str](),
}
_KINDS = {"classic": "classic_queues", "quorum": "quorum_queues", "stream": "streams"}
_SECONDS = {"s": 1, "m": 60, "h": 3600, "D": 86_400, "M": 30 * 86_400, "Y": 365 * 86_400}


@dataclass(frozen=True, kw_only=True)
class Policy:
    """A policy, or an operator policy, of a virtual host; of each kind one at most counts for a queue.

    Attributes
    ----------
    pattern
        Regular expression that is found in the names of what it is for.
    applies_to
        ``all``, ``queues``, a kind of queue, or something else.
    """

    name: str
    pattern: str
    applies_to: str
    priority: int
    definition: Mapping[str, Any]
    is_operators: bool = False

    @cached_property
    def expression(self) -> re.Pattern[str] | None:
        """The pattern; None if it is written as only the broker understands it."""
        try:
            return re.compile(self.pattern)
        except re.error:
            return None

    def is_for(self, queue: Queue) -> bool:
        """Whether it is for a queue; the one of the highest priority counts."""
        kinds = {"all", "queues", _KINDS[_kind(queue)]}
        return self.applies_to in kinds and self.expression is not None and bool(self.expression.search(queue.name))

    def __str__(self) -> str:
        """Name it, and its kind."""
        return f"{'operator policy' if self.is_operators else 'policy'} {self.name!r}"


@dataclass(frozen=True, kw_only=True)
class Override:
    """Something that a policy changes about a queue."""

    queue: Queue
    policy: Policy
    key: str

    @property
    def is_of_journal(self) -> bool:
        """Whether it only shortens what is kept for onlookers."""
        return _kind(self.queue) == "stream"


def sentences(found: Iterable[Override]) -> list[str]:
    """Say what each policy changes, and of which queues."""
    queues: dict[str, list[str]] = {}
    for each in found:
        change = f"{each.policy} sets {each.key} to {each.policy.definition[each.key]}"
        own = each.queue.arguments.get(f"x-{each.key}")
        queues.setdefault(change, []).append(each.queue.name + ("" if own is None else f" (made with {own})"))
    return [f"{change} for {', '.join(names)}" for change, names in queues.items()]


def overrides(wanted: Topology, policies: Collection[Policy]) -> Iterator[Override]:
    """Tell what policies change about the queues that are to be there."""
    for queue in wanted.queues:
        for is_operators in (False, True):
            found = [each for each in policies if each.is_operators is is_operators and each.is_for(queue)]
            highest = max((each.priority for each in found), default=0)
            for policy in (each for each in found if each.priority == highest):
                yield from (
                    Override(queue=queue, policy=policy, key=key)
                    for key, value in policy.definition.items()
                    if _changes(queue, key, value)
                )


def _changes(queue: Queue, key: str, value: Any) -> bool:
    own = queue.arguments.get(f"x-{key}")
    if own is None:
        return key in _CHANGE_WHERE_NONE_IS_SAID[_kind(queue)]
    if key in _SMALLER_COUNTS:
        return _number(value) < _number(own)
    return key in _POLICY_COUNTS and value != own


def _kind(queue: Queue) -> str:
    return str(queue.arguments["x-queue-type"])


def _number(value: Any) -> float:
    """Return a number, or an age such as ``90D`` in seconds."""
    text = str(value)
    return float(text[:-1]) * _SECONDS[text[-1]] if text[-1:] in _SECONDS else float(text)

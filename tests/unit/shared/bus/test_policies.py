"""Which policies of a broker's operators change our queues, by what RabbitMQ does with both."""

from typing import Any

import pytest

from shared.bus.policies import Policy, overrides, sentences
from shared.bus.topology import Queue, Topology

DEFAULTS: dict[str, Any] = {"name": "theirs", "pattern": "", "applies_to": "queues", "priority": 0, "definition": {}}
SERVICE = Queue(
    name="p.service",
    arguments={
        "x-queue-type": "quorum",
        "x-overflow": "reject-publish",
        "x-delivery-limit": 20,
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": "p.service.dead",
        "x-consumer-timeout": 5000,
    },
)
WAITING = Queue(name="p.wait", arguments={"x-queue-type": "quorum", "x-message-ttl": 1000})
JOURNAL = Queue(
    name="p.journal", arguments={"x-queue-type": "stream", "x-max-age": "90D", "x-max-length-bytes": 2_000_000}
)
REFUSED = Queue(
    name="p.refused", arguments={"x-queue-type": "classic", "x-max-length": 0, "x-overflow": "reject-publish"}
)


def changed(queue: Queue, *policies: dict[str, Any]) -> set[str]:
    wanted = Topology(exchanges=(), queues=(queue,), bindings=())
    return {each.key for each in overrides(wanted, [Policy(**DEFAULTS | each) for each in policies])}


@pytest.mark.parametrize(
    ("queue", "key", "value", "changes"),
    [
        (SERVICE, "message-ttl", 1000, True),
        (SERVICE, "max-length", 1000, True),
        (SERVICE, "max-length-bytes", 1000, True),
        (SERVICE, "expires", 1000, True),
        (SERVICE, "overflow", "drop-head", True),
        (SERVICE, "overflow", "reject-publish", False),
        (SERVICE, "delivery-limit", 19, True),
        (SERVICE, "delivery-limit", 21, False),
        (SERVICE, "consumer-timeout", 4999, True),
        (SERVICE, "dead-letter-exchange", "theirs", False),
        (SERVICE, "dead-letter-routing-key", "theirs", False),
        (SERVICE, "queue-leader-locator", "balanced", False),
        (WAITING, "message-ttl", 999, True),
        (WAITING, "message-ttl", 1001, False),
        (WAITING, "dead-letter-routing-key", "theirs", True),
        (WAITING, "consumer-timeout", 1000, False),
        (JOURNAL, "max-age", "2160h", False),
        (JOURNAL, "max-age", "2M", True),
        (JOURNAL, "max-age", "1Y", False),
        (JOURNAL, "max-length-bytes", 1_999_999, True),
        (JOURNAL, "message-ttl", 1000, False),
        (REFUSED, "overflow", "drop-head", True),
        (REFUSED, "message-ttl", 1000, False),
        (REFUSED, "max-length", 10, False),
        (REFUSED, "expires", 1000, True),
    ],
)
def test_of_a_policy_and_a_queue_s_argument_the_one_that_counts_is_known(
    queue: Queue, key: str, value: object, changes: bool
) -> None:
    assert changed(queue, {"definition": {key: value}}) == ({key} if changes else set())


@pytest.mark.parametrize(
    ("queue", "policy", "applies"),
    [
        (SERVICE, {"pattern": "^p[.]"}, True),
        (SERVICE, {"pattern": "ice$"}, True),
        (SERVICE, {"pattern": "^service"}, False),
        (SERVICE, {"applies_to": "all"}, True),
        (SERVICE, {"applies_to": "quorum_queues"}, True),
        (SERVICE, {"applies_to": "classic_queues"}, False),
        (SERVICE, {"applies_to": "exchanges"}, False),
        (REFUSED, {"applies_to": "classic_queues"}, True),
        (SERVICE, {"pattern": "(?<unfinished"}, False),
    ],
)
def test_a_policy_is_for_the_queues_that_its_pattern_and_kind_name(
    queue: Queue, policy: dict[str, Any], applies: bool
) -> None:
    assert (changed(queue, policy | {"definition": {"expires": 1}}) == {"expires"}) is applies


def test_of_several_policies_the_one_of_the_highest_priority_counts_and_an_operators_one_beside_it() -> None:
    low = {"priority": 1, "definition": {"expires": 1}}
    high = {"priority": 2, "definition": {"max-length": 1}}
    operators = {"priority": 0, "definition": {"message-ttl": 1}, "is_operators": True}
    assert changed(SERVICE, low, high, operators) == {"max-length", "message-ttl"}
    assert changed(SERVICE, low, {"priority": -1, "definition": {"overflow": "drop-head"}}) == {"expires"}


def test_a_policy_that_only_the_broker_understands_is_known_as_such() -> None:
    assert Policy(**DEFAULTS | {"pattern": "(?<unfinished"}).expression is None


def test_what_a_policy_changes_is_said_once_for_all_its_queues() -> None:
    wanted = Topology(exchanges=(), queues=(SERVICE, WAITING), bindings=())
    policies = [Policy(**DEFAULTS | {"definition": {"message-ttl": 5, "overflow": "drop-head"}})]
    assert sentences(overrides(wanted, policies)) == [
        "policy 'theirs' sets message-ttl to 5 for p.service, p.wait (made with 1000)",
        "policy 'theirs' sets overflow to drop-head for p.service (made with reject-publish)",
    ]

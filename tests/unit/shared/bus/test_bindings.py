"""What is made of the bindings that RabbitMQ's management plugin tells."""

import json
from typing import Any

import pytest

from shared.bus.bindings import differing
from shared.bus.management import read
from shared.bus.retry import RetryPolicy
from shared.bus.settings import RabbitSettings
from shared.bus.topology import Binding, Names, topology
from shared.errors import MisconfiguredError

NAMES = Names("p")
WANTED = topology(
    {"casa-runner": ("restore.ordered",)},
    settings=RabbitSettings(prefix="p"),
    retry=RetryPolicy(delays=(1.0,), spread=(1.0,)),
)


def told(source: str, destination: str, key: str, **others: Any) -> dict[str, Any]:
    return {
        "source": source,
        "vhost": "/",
        "destination": destination,
        "destination_type": "queue",
        "routing_key": key,
        "arguments": {},
        "properties_key": key or "~",
        **others,
    }


def test_bindings_are_read_but_for_those_that_every_queue_has_by_its_name() -> None:
    answer = [
        told("", "p.casa-runner", "p.casa-runner"),
        told("p.services", "p.casa-runner", "restore.ordered"),
        told("p.events", "p.services", "#", destination_type="exchange", arguments=[]),
        told("p.wait.1000", "p.wait.1000", "", arguments={"x": 1}),
    ]
    assert read(json.dumps(answer).encode()) == {
        Binding(exchange="p.services", topic="restore.ordered", queue="p.casa-runner"),
        Binding(exchange="p.events", topic="#", to_exchange="p.services"),
        Binding(exchange="p.wait.1000", topic="", queue="p.wait.1000", has_arguments=True),
    }


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'[{"source": "p.events"}]'])
def test_an_answer_that_is_none_names_the_setting(body: bytes) -> None:
    with pytest.raises(MisconfiguredError, match=r"http://here.*ALMA_RESTORE_BUS__MANAGEMENT_URL"):
        read(body, shown="http://here")


def compared(*changes: Binding, without: int = 0, absent: tuple[str, ...] = ()) -> list[str]:
    found = frozenset(WANTED.bindings[without:]) | frozenset(changes)
    return [str(each) for each in differing(WANTED, found, absent=absent, names=NAMES)]


def test_a_binding_that_is_gone_is_missing_unless_its_queue_is_gone_too() -> None:
    assert compared(without=1) == ["binding p.services -restore.ordered-> p.casa-runner is missing"]
    assert compared(without=1, absent=("p.casa-runner",)) == []


@pytest.mark.parametrize(
    "stale",
    [
        Binding(exchange="p.services", topic="restore.failed", queue="p.casa-runner"),
        Binding(exchange="p.services", topic="restore.ordered", queue="p.casa-cleaner"),
        Binding(exchange="p.unclaimed", topic="restore.failed", queue="p.refused"),
        Binding(exchange="p.events", topic="mail.sent", queue="p.journal"),
        Binding(exchange="strange", topic="#", to_exchange="p.events"),
    ],
)
def test_a_binding_that_hides_or_misleads_an_event_should_not_be_there(stale: Binding) -> None:
    assert compared(stale) == [f"{stale} should not be there"]


def test_onlookers_and_what_is_of_others_is_no_difference() -> None:
    assert (
        compared(
            Binding(exchange="p.events", topic="#", queue="archive-requests.answers"),
            Binding(exchange="strange", topic="", queue="stranger"),
            Binding(exchange="p.wait.7000", topic="", queue="p.wait.7000"),
        )
        == []
    )


def test_a_binding_with_arguments_does_not_stand_for_ours_and_is_not_removed_by_us() -> None:
    strange = Binding(exchange="p.services", topic="restore.ordered", queue="p.casa-runner", has_arguments=True)
    found = {strange, *WANTED.bindings[1:]}
    missing, stale = differing(WANTED, found, absent=(), names=NAMES)
    assert (missing.is_missing, stale.binding, stale.is_removable) == (True, strange, False)

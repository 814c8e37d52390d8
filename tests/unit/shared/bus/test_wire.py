"""How attempts and reasons travel in a message's headers."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from pika import BasicProperties

from contracts.envelope import Event
from contracts.messages import RestoreStarted
from shared.bus import wire
from shared.bus.retry import DeadLetter
from shared.bus.topology import Names
from tests.support.samples import EB, MOUS

NAMES = Names("p")
WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_an_event_shows_its_ids_and_type_without_being_decoded() -> None:
    message = RestoreStarted(request_id=uuid4(), mous_uid=MOUS, eb_uid=EB, runner="node1", attempt=1)
    event = Event.first(message, source="/alma-restore/test")
    sent = wire.of_event(event, event.encode(), names=NAMES)
    assert (sent.exchange, sent.routing_key, sent.body) == ("p.events", "restore.started", event.encode())
    properties = sent.properties
    assert (properties.message_id, properties.correlation_id) == (str(event.id), str(event.correlationid))
    assert (properties.type, properties.delivery_mode) == (event.type, 2)


@pytest.mark.parametrize(
    ("headers", "attempt"),
    [
        (None, 1),
        ({"x-attempt": 3}, 3),
        ({"x-delivery-count": 2}, 3),
        ({"x-attempt": 3, "x-delivery-count": 2}, 5),
        ({"x-attempt": "three"}, 1),
    ],
)
def test_attempts_are_those_that_failed_and_those_that_were_taken_back(
    headers: dict[str, Any] | None, attempt: int
) -> None:
    assert wire.attempt_of(BasicProperties(headers=headers)) == attempt


@pytest.mark.parametrize(
    ("headers", "failures"),
    [
        (None, 0),
        ({"x-delivery-count": 5}, 0),
        ({"x-attempt": 7, "x-failures": 2, "x-delivery-count": 5}, 2),
        ({"x-attempt": 3}, 2),
        ({"x-failures": "many"}, 0),
    ],
)
def test_failures_are_attempts_that_ended_with_an_error(headers: dict[str, Any] | None, failures: int) -> None:
    assert wire.failures_of(BasicProperties(headers=headers)) == failures


def test_an_event_that_is_put_off_carries_its_history_on() -> None:
    before = BasicProperties(
        message_id="m",
        type="t",
        headers={"x-attempt": 2, "x-delivery-count": 1, "x-acquired-count": 7, "x-death": [], "x-own": "kept"},
    )
    sent = wire.put_off(b"body", before, queue="notifier", delay=5.0, first_failure=WHEN, names=NAMES)
    assert (sent.exchange, sent.routing_key, sent.body) == ("p.wait.5000", "p.notifier", b"body")
    assert sent.properties.headers == {
        "x-attempt": 4,
        "x-failures": 2,
        "x-first-failure": WHEN.isoformat(),
        "x-own": "kept",
    }
    assert (sent.properties.message_id, sent.properties.type) == ("m", "t")
    assert wire.first_failure_of(sent.properties) == WHEN


def test_a_dead_letter_is_read_back_as_it_was_written() -> None:
    decision = DeadLetter("wrong_form", "the manifest has no session")
    sent = wire.given_up(
        b"body", BasicProperties(), queue="notifier", decision=decision, first_failure=WHEN, names=NAMES
    )
    dead = wire.dead_event("notifier", sent.body, sent.properties)
    assert (dead.queue, dead.body, dead.code, dead.reason) == ("notifier", b"body", decision.code, decision.reason)
    assert (dead.attempt, dead.first_failure) == (1, WHEN)


def test_a_reason_of_any_length_fits_into_a_frame() -> None:
    decision = DeadLetter("unexpected", "x" * 1_000_000)
    sent = wire.given_up(
        b"body", BasicProperties(), queue="notifier", decision=decision, first_failure=WHEN, names=NAMES
    )
    assert len(str(sent.properties.headers)) < 100_000


def test_headers_of_a_stranger_that_fit_into_no_frame_are_left_out() -> None:
    strange: dict[str, Any] = {
        "long": "x" * 100_000,
        "deep": {"a": [1]},
        **{f"n{number}": "x" * 900 for number in range(500)},
    }
    sent = wire.put_off(b"", BasicProperties(headers=strange), queue="q", delay=1.0, first_failure=WHEN, names=NAMES)
    assert len(str(sent.properties.headers)) < 30_000


def test_a_dead_letter_of_the_brokers_own_making_says_so() -> None:
    dead = wire.dead_event("notifier", b"body", BasicProperties(headers={"x-first-death-reason": "delivery_limit"}))
    assert (dead.code, dead.reason) == ("delivery_limit", "given up by the broker: delivery_limit")
    assert dead.first_failure is None


def test_a_time_that_a_stranger_wrote_badly_is_taken_for_none() -> None:
    assert wire.first_failure_of(BasicProperties(headers={"x-first-failure": "yesterday"})) is None


def test_what_a_stranger_wrote_in_no_unicode_is_left_out_or_kept_as_it_is() -> None:
    strange = BasicProperties(
        message_id=b"\xff",  # type: ignore[arg-type]  # pika gives bytes where it can read no text
        headers={b"\xff": "x", "x-own": b"\xfe", "x-artefact": 7},  # type: ignore[dict-item]  # the same
    )
    dead = wire.dead_event("notifier", b"body", strange)
    assert dead.key == wire.dead_event("notifier", b"body", BasicProperties()).key
    assert dead.artefact is None
    sent = wire.put_off(b"body", strange, queue="notifier", delay=5.0, first_failure=WHEN, names=NAMES)
    assert set(sent.properties.headers or {}) == {"x-attempt", "x-failures", "x-first-failure", "x-artefact"}
    assert sent.properties.message_id == strange.message_id

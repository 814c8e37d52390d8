"""How an event, its attempts and its end are written into a message of RabbitMQ."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from pika import BasicProperties, DeliveryMode

from contracts.envelope import CONTENT_TYPE, Event
from shared.bus.base import DeadEvent, key_of
from shared.bus.handling import NEVER_FAILED, Past
from shared.bus.publisher import Outgoing
from shared.bus.retry import DeadLetter
from shared.bus.topology import Names

ATTEMPT = "x-attempt"
FAILURES = "x-failures"
FIRST_FAILURE = "x-first-failure"
SERVICE = "x-service"
CODE = "x-code"
REASON = "x-reason"
DIED = "x-died"
ARTEFACT = "x-artefact"
_OURS = (ATTEMPT, FAILURES, FIRST_FAILURE, SERVICE, CODE, REASON, DIED, ARTEFACT)
_DELIVERY_COUNT = "x-delivery-count"
_BROKERS_OWN = ("x-death", "x-delivery-count", "x-acquired-count", "x-first-death-", "x-last-death-")
_PERSISTENT = DeliveryMode.Persistent
_LONGEST_REASON = 8000
"""Characters; all headers have to fit into one frame of 128 KB, or the broker drops the connection."""
_MOST_HEADERS = 20
_LONGEST_HEADER = 1000
_LARGEST_INTEGER = 2**63 - 1


def of_event(event: Event, body: bytes, *, names: Names) -> Outgoing:
    """Write an event that is published."""
    properties = BasicProperties(
        content_type=CONTENT_TYPE,
        delivery_mode=_PERSISTENT,
        message_id=str(event.id),
        correlation_id=str(event.correlationid),
        type=event.type,
    )
    return Outgoing(exchange=names.events, routing_key=event.topic, body=body, properties=properties)


def attempt_of(properties: BasicProperties) -> int:
    """Count the attempts: those that failed before, and those that the broker took back."""
    headers = properties.headers or {}
    return _integer(headers.get(ATTEMPT), 1) + _integer(headers.get(_DELIVERY_COUNT), 0)


def failures_of(properties: BasicProperties) -> int:
    """Count the attempts that ended with an error; what the broker took back is none of them."""
    headers = properties.headers or {}
    return _integer(headers.get(FAILURES), _integer(headers.get(ATTEMPT), 1) - 1)


def first_failure_of(properties: BasicProperties) -> datetime | None:
    """Tell when the event failed first, if it did."""
    return _time((properties.headers or {}).get(FIRST_FAILURE))


def past_of(properties: BasicProperties) -> Past:
    """Tell of the attempts that failed; what has no headers was never put off."""
    if not properties.headers:
        return NEVER_FAILED
    return Past(failures=failures_of(properties), first_failure=first_failure_of(properties))


def put_off(
    body: bytes, properties: BasicProperties, *, queue: str, delay: float, first_failure: datetime, names: Names
) -> Outgoing:
    """Write an event that comes again after a while."""
    headers = {
        ATTEMPT: attempt_of(properties) + 1,
        FAILURES: failures_of(properties) + 1,
        FIRST_FAILURE: first_failure.isoformat(),
    }
    return Outgoing(
        exchange=names.wait(delay),
        routing_key=names.queue(queue),
        body=body,
        properties=_carried_on(properties, headers, reply_to=_reply_to(properties)),
    )


def replayed(body: bytes, properties: BasicProperties, *, queue: str, names: Names) -> Outgoing:
    """Write a dead letter that is given to its queue again, as if it had never failed."""
    return Outgoing(
        exchange="", routing_key=names.queue(queue), body=body, properties=_carried_on(properties, {}, without=_OURS)
    )


def given_up(
    body: bytes,
    properties: BasicProperties,
    *,
    queue: str,
    decision: DeadLetter,
    first_failure: datetime,
    names: Names,
) -> Outgoing:
    """Write an event that waits for a person."""
    headers = {
        ATTEMPT: attempt_of(properties),
        FIRST_FAILURE: first_failure.isoformat(),
        SERVICE: queue,
        CODE: decision.code,
        REASON: decision.reason[:_LONGEST_REASON],
        DIED: datetime.now(UTC).isoformat(),
        **({ARTEFACT: decision.artefact} if decision.artefact else {}),
    }
    return Outgoing(exchange="", routing_key=names.dead(queue), body=body, properties=_carried_on(properties, headers))


def dead_event(queue: str, body: bytes, properties: BasicProperties) -> DeadEvent:
    """Read a dead letter, of our own or of the broker's making."""
    headers: Mapping[str, Any] = properties.headers or {}
    brokers_reason = str(headers.get("x-first-death-reason", "unknown"))
    return DeadEvent(
        queue=queue,
        key=key_of(body, properties.message_id),
        body=body,
        code=str(headers.get(CODE, brokers_reason)),
        reason=str(headers.get(REASON, f"given up by the broker: {brokers_reason}")),
        attempt=_integer(headers.get(ATTEMPT), 1),
        first_failure=_time(headers.get(FIRST_FAILURE)),
        artefact=artefact if isinstance(artefact := headers.get(ARTEFACT), str) else None,
    )


def _carried_on(
    properties: BasicProperties,
    headers: Mapping[str, Any],
    *,
    without: Collection[str] = (),
    reply_to: str | None = None,
) -> BasicProperties:
    """Copy the properties with new headers, without what the broker counted for its own ends."""
    kept = [
        (name, value)
        for name, value in (properties.headers or {}).items()
        if _is_plain(name) and not name.startswith(_BROKERS_OWN) and name not in without and _is_plain(value)
    ]
    return BasicProperties(
        content_type=properties.content_type,
        content_encoding=properties.content_encoding,
        delivery_mode=_PERSISTENT,
        message_id=properties.message_id,
        correlation_id=properties.correlation_id,
        reply_to=reply_to,
        type=properties.type,
        timestamp=properties.timestamp,
        headers={**dict(kept[:_MOST_HEADERS]), **headers},
    )


def _reply_to(properties: BasicProperties) -> str | None:
    """Return where the sender waits for an answer, which the last of several attempts may still owe."""
    named: object = properties.reply_to
    return named if isinstance(named, str) and _is_plain(named) else None


def _is_plain(value: object) -> bool:
    """Whether a part of a stranger's header is text or number, can be written again, and is short.

    What is no UTF-8 comes as bytes.
    """
    if isinstance(value, int):
        return abs(value) <= _LARGEST_INTEGER
    return isinstance(value, str) and len(value) <= _LONGEST_HEADER


def _integer(value: object, default: int) -> int:
    """Read a number that a stranger may have written."""
    return value if isinstance(value, int) else default


def _time(value: object) -> datetime | None:
    """Read a time that a stranger may have written."""
    try:
        time = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)

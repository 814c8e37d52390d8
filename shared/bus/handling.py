"""What both adapters do with a delivery: decode, handle, publish what was said, decide."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from random import SystemRandom
from threading import Thread
from time import monotonic
from traceback import format_exception

import structlog
from pydantic_core import PydanticSerializationError

from contracts.envelope import Event, UndecodableEventError
from shared import tracing
from shared.bus.base import Delivery, Subscription
from shared.bus.errors import DeliveryLostError, MisaddressedError, UnpublishableError
from shared.bus.retry import DeadLetter, RetryLater, RetryPolicy, decide
from shared.errors import DependencyAwayError, MisconfiguredError

log = structlog.get_logger(__name__)
UNDECODABLE = "undecodable"
"""Code of dead letters that no release of ours can read."""
SENDERS_FAULT = frozenset({UNDECODABLE, MisaddressedError.code})
"""Codes of dead letters whose sender is told, if it says where."""


class Ending(Enum):
    """How a delivery ends without an error."""

    DONE = "done"
    LOST = "lost"


Outcome = Ending | RetryLater | DeadLetter


@dataclass(frozen=True, kw_only=True)
class Past:
    """How often handling an event ended with an error before, and when it did first."""

    failures: int = 0
    first_failure: datetime | None = None


NEVER_FAILED = Past()
"""The past of nearly every event."""


@dataclass(frozen=True, kw_only=True)
class Handled:
    """What became of a delivery, when its event failed first, and its id if it could be read."""

    outcome: Outcome
    first_failure: datetime | None = None
    key: str | None = None


def encode_all(events: Sequence[Event]) -> list[bytes]:
    """Write events as JSON, all or none.

    Raises
    ------
    UnpublishableError
        If one of them cannot be written.
    """
    return [_encode(event) for event in events]


def _encode(event: Event) -> bytes:
    try:
        return event.encode()
    except PydanticSerializationError as error:
        raise UnpublishableError(f"{event.type} {event.id} cannot be written as JSON: {error}") from error


def check_topics(topics: Sequence[str]) -> None:
    """Refuse wildcards: a queue that takes everything would hide that another one is missing.

    Raises
    ------
    MisconfiguredError
        If a topic is a pattern.
    """
    for topic in topics:
        if "*" in topic or "#" in topic:
            raise MisconfiguredError(f"topic {topic!r} is a pattern: name each topic that the queue takes")


def handle(
    read: Callable[[], Event],
    delivery: Delivery,
    *,
    subscription: Subscription,
    policy: RetryPolicy,
    past: Past,
) -> Handled:
    """Give a delivery to its handler, publish what it says, and tell how to settle the delivery."""
    try:
        event = read()
    except (UndecodableEventError, RecursionError, TypeError) as error:
        log.warning("event_undecodable_kept_in_dead_letters", queue=subscription.queue, reason=str(error))
        return Handled(outcome=DeadLetter(UNDECODABLE, str(error)), first_failure=datetime.now(UTC))
    with tracing.handling(event, queue=subscription.queue, attempt=delivery.attempt):
        try:
            _check_address(event, subscription)
            return Handled(outcome=_say(subscription.handler(event, delivery), delivery))
        except (Exception, SystemExit) as error:  # whatever a handler raises, the policy decides what follows
            tracing.failed(error)
            return _failed(error, event, delivery, subscription=subscription, policy=policy, past=past)


def _check_address(event: Event, subscription: Subscription) -> None:
    """Refuse an event that was published with another routing key than its topic."""
    topic = event.data.topic
    if topic not in subscription.topics:
        raise MisaddressedError(
            f"{event.type} came to {subscription.queue}, which takes {', '.join(subscription.topics)}: "
            f"publish it with the routing key {topic}"
        )


def _failed(
    error: BaseException,
    event: Event,
    delivery: Delivery,
    *,
    subscription: Subscription,
    policy: RetryPolicy,
    past: Past,
) -> Handled:
    if delivery.lost.is_set():
        return Handled(outcome=Ending.LOST)
    now = datetime.now(UTC)
    since = past.first_failure or now
    decision = decide(
        error,
        failures=past.failures + 1,
        failing_for=(now - since).total_seconds(),
        policy=policy,
        chance=SystemRandom().random(),
    )
    if isinstance(decision, DeadLetter):
        decision = replace(decision, artefact=_keep_traceback(error, event, delivery, subscription))
    log.warning(
        "event_put_off" if isinstance(decision, RetryLater) else "event_given_up",
        queue=subscription.queue,
        message_id=str(event.id),
        request_id=str(event.correlationid),
        attempt=delivery.attempt,
        decision=decision,
        exc_info=error,
    )
    if _report(event, decision, delivery, subscription) is Ending.LOST:
        return Handled(outcome=Ending.LOST)
    return Handled(outcome=decision, first_failure=since, key=str(event.id))


def _keep_traceback(error: BaseException, event: Event, delivery: Delivery, subscription: Subscription) -> str | None:
    if subscription.keep is None:
        return None
    try:
        return subscription.keep(event, delivery.attempt, "".join(format_exception(error)))
    except Exception:  # a traceback that cannot be kept must not keep the event from being given up
        log.exception("traceback_not_kept", queue=subscription.queue, message_id=str(event.id))
        return None


def _report(event: Event, decision: RetryLater | DeadLetter, delivery: Delivery, subscription: Subscription) -> Ending:
    if subscription.report is None:
        return Ending.DONE
    try:
        return _say(subscription.report(event, decision, delivery.attempt), delivery)
    except Exception:  # a report that fails must not keep the event from being put off or given up
        log.exception("report_not_published", queue=subscription.queue, message_id=str(event.id))
        return Ending.DONE


def _say(events: Sequence[Event], delivery: Delivery) -> Ending:
    """Publish until it is confirmed: hours of work are not thrown away because the bus is away for a minute."""
    said = tuple(events)
    if not said:
        return Ending.LOST if delivery.lost.is_set() else Ending.DONE
    while not delivery.lost.is_set():
        try:
            delivery.publish(said)
        except DeliveryLostError:
            break
        except DependencyAwayError as error:
            log.warning("answer_not_confirmed_said_again", reason=str(error))
        else:
            return Ending.DONE
    return Ending.LOST


class Workers:
    """Threads that work off jobs until there are no more.

    Parameters
    ----------
    name
        Prefix of the threads' names.
    count
        Number of threads.
    take
        Waits for the next job; None ends a thread.
    """

    def __init__(self, *, name: str, count: int, take: Callable[[], Callable[[], None] | None]) -> None:
        self._take = take
        self._threads = [Thread(target=self._work, name=f"{name}-{n}", daemon=True) for n in range(count)]
        for thread in self._threads:
            thread.start()

    def _work(self) -> None:
        while (job := self._take()) is not None:
            job()

    @property
    def are_alive(self) -> bool:
        """Whether none of the threads has ended."""
        return all(thread.is_alive() for thread in self._threads)

    def join(self, timeout: float) -> bool:
        """Wait for the threads to end; tell whether all did."""
        until = monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, until - monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

"""What the runtime counts of every service."""

from collections.abc import Iterator
from functools import partial
from queue import Queue
from uuid import uuid4

import pytest
from prometheus_client import CollectorRegistry

from contracts.envelope import Event
from contracts.messages import RequestCancelled, RequestRefused, RequestSubmitted, RestoreFailed
from contracts.messages.parts import BlockFailure, Stage
from contracts.reasons import ReasonCode
from shared.bus import DeadLetter, Delivery, RetryPolicy, Subscription
from shared.bus.memory import MemoryBus
from shared.errors import DependencyAwayError
from shared.metrics import CountedDelivery, ServiceMetrics
from shared.runtime import Runtime
from tests.support.delivery import RecordingDelivery
from tests.support.samples import EB, REQUEST

SERVICE, TOPIC = "entitlement-checker", "request.submitted"
SUBMITTED = Event.first(RequestSubmitted(request=REQUEST), source="/test")


class Checker:
    """A service that waits once, refuses once, and has a bug that one request meets."""

    name = SERVICE

    def __init__(self) -> None:
        self.attempts = Queue[int]()

    def subscriptions(self) -> list[Subscription]:
        return [Subscription(queue=self.name, topics=(TOPIC,), handler=self.handle)]

    def handle(self, event: Event, delivery: Delivery) -> list[Event]:
        self.attempts.put(delivery.attempt)
        if event.id != SUBMITTED.id:
            raise ValueError("a bug")
        if delivery.attempt == 1:
            raise DependencyAwayError("away")
        return [event.conclude(RequestRefused(request=REQUEST, reason=ReasonCode.NOT_ENTITLED), source="/test")]

    def is_ready(self) -> bool:
        return True

    def close(self) -> None:
        pass


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def bus() -> Iterator[MemoryBus]:
    bus = MemoryBus(retry=RetryPolicy(delays=(0.01,), unexpected_attempts=1))
    yield bus
    bus.close()


def value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(f"alma_restore_{name}", {"service": SERVICE, **labels})


def test_series_are_there_before_the_first_message(bus: MemoryBus, registry: CollectorRegistry) -> None:
    Runtime(bus=bus, metrics=ServiceMetrics(registry)).add(Checker())
    for name in ("handler_seconds_count", "queue_seconds_count", "retries_total"):
        assert value(registry, name, topic=TOPIC) == 0
    assert value(registry, "dead_letters_total", topic=TOPIC, code="none") == 0
    assert value(registry, "handlers_busy") == 0


def test_waiting_retries_and_reasons_are_counted(bus: MemoryBus, registry: CollectorRegistry) -> None:
    checker = Checker()
    Runtime(bus=bus, metrics=ServiceMetrics(registry)).add(checker)
    bus.publish([SUBMITTED])
    assert [checker.attempts.get(timeout=10) for _ in range(2)] == [1, 2]
    assert bus.drain(10)
    assert value(registry, "messages_total", topic=TOPIC, outcome="later") == 1
    assert value(registry, "messages_total", topic=TOPIC, outcome="done") == 1
    assert value(registry, "retries_total", topic=TOPIC) == 1
    assert value(registry, "queue_seconds_count", topic=TOPIC) == 1
    assert value(registry, "handler_seconds_count", topic=TOPIC) == 2
    assert value(registry, "answers_total", topic="request.refused", reason="not_entitled") == 1


def test_what_is_given_up_is_counted_by_its_code(bus: MemoryBus, registry: CollectorRegistry) -> None:
    checker = Checker()
    Runtime(bus=bus, metrics=ServiceMetrics(registry)).add(checker)
    bus.publish([Event.first(RequestSubmitted(request=REQUEST), source="/test")])
    assert checker.attempts.get(timeout=10) == 1
    assert bus.drain(10)
    assert len(bus.dead_letters(SERVICE)) == 1
    assert value(registry, "dead_letters_total", topic=TOPIC, code="unexpected") == 1


def test_free_words_of_people_are_no_label(registry: CollectorRegistry) -> None:
    metrics = ServiceMetrics(registry)
    words = RequestCancelled(request_id=uuid4(), mous_uid=REQUEST.mous_uid, by="ada", reason="asked by mistake")
    failure = BlockFailure(eb_uid=EB, stage=Stage.RESTORE, reason=ReasonCode.CASA_CRASHED, detail="signal 11")
    failed = RestoreFailed(request=REQUEST, failure=failure)
    metrics.answered(SERVICE, [Event.first(words, source="/test"), SUBMITTED.derive(failed, source="/test")])
    assert value(registry, "answers_total", topic="request.cancelled", reason="none") == 1
    assert value(registry, "answers_total", topic="restore.failed", reason="casa_crashed") == 1


def test_a_dead_letter_may_have_any_stable_code(registry: CollectorRegistry) -> None:
    metrics = ServiceMetrics(registry)
    metrics.settled(SERVICE, TOPIC, DeadLetter("archive_inconsistent", "two projects"))
    assert value(registry, "dead_letters_total", topic=TOPIC, code="archive_inconsistent") == 1


def test_what_a_handler_says_while_it_works_is_counted_once_confirmed(registry: CollectorRegistry) -> None:
    metrics, delivery = ServiceMetrics(registry), RecordingDelivery()
    counted = CountedDelivery(delivery=delivery, count=partial(metrics.answered, SERVICE))
    counted.publish([SUBMITTED])
    assert (counted.attempt, counted.lost) == (delivery.attempt, delivery.lost)
    assert value(registry, "answers_total", topic=TOPIC, reason="none") == 1

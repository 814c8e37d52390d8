"""The runtime binds services to a bus, counts what they do and tells those who wait."""

from collections.abc import Callable, Iterator, Sequence
from queue import Queue
from unittest.mock import Mock

import pytest
from prometheus_client import CollectorRegistry, Counter
from structlog.contextvars import get_contextvars

from contracts.envelope import Event
from contracts.messages import RequestAccepted, RequestSubmitted, RequestWaiting, TicketSubmitted
from contracts.messages.parts import Entitlement
from shared.bus import Delivery, RetryPolicy, Subscription
from shared.bus.memory import MemoryBus
from shared.errors import DependencyAwayError
from shared.metrics import ServiceMetrics
from shared.runtime import Runtime, registry_of
from shared.service import source_of
from tests.support.samples import REQUEST, TICKET

SUBMITTED = Event.first(RequestSubmitted(request=REQUEST), source="/alma-restore/test")
RETRY = RetryPolicy(delays=(0.01,))
SECONDS = 10.0


class Echo:
    """A service of one handler."""

    name = "entitlement-checker"
    topics: tuple[str, ...] = ("request.submitted",)

    def __init__(self, handle: Callable[[Event, Delivery], Sequence[Event]]) -> None:
        self._handle = handle

    def subscriptions(self) -> Sequence[Subscription]:
        return [Subscription(queue=self.name, topics=self.topics, handler=self._handle)]

    def is_ready(self) -> bool:
        return True

    def close(self) -> None:
        pass


@pytest.fixture
def bus() -> Iterator[MemoryBus]:
    bus = MemoryBus(retry=RETRY)
    yield bus
    bus.close()


def run(bus: MemoryBus, handle: Callable[[Event, Delivery], Sequence[Event]]) -> tuple[CollectorRegistry, Queue[Event]]:
    registry, heard = CollectorRegistry(), Queue[Event]()
    bus.listen(heard.put)
    Runtime(bus=bus, metrics=ServiceMetrics(registry)).add(Echo(handle))
    bus.publish([SUBMITTED])
    return registry, heard


def count(registry: CollectorRegistry, outcome: str) -> float | None:
    labels = {"service": "entitlement-checker", "topic": "request.submitted", "outcome": outcome}
    return registry.get_sample_value("alma_restore_messages_total", labels)


def test_a_handled_event_is_counted_and_its_answer_said(bus: MemoryBus) -> None:
    answer = SUBMITTED.derive(
        RequestAccepted(request=REQUEST, entitlement=Entitlement.PI), source=source_of("entitlement-checker")
    )
    registry, heard = run(bus, lambda event, delivery: [answer])
    assert [heard.get(timeout=SECONDS).id for _ in range(2)] == [SUBMITTED.id, answer.id]
    assert count(registry, "done") == 1


def test_who_waits_for_a_dependency_is_told_why_and_how_long(bus: MemoryBus) -> None:
    def handle(event: Event, delivery: Delivery) -> Sequence[Event]:
        if delivery.attempt == 1:
            raise DependencyAwayError("the archive database does not answer")
        return []

    registry, heard = run(bus, handle)
    heard.get(timeout=SECONDS)
    waiting = heard.get(timeout=SECONDS).data
    assert isinstance(waiting, RequestWaiting)
    assert (waiting.service, waiting.attempt) == ("entitlement-checker", 1)
    assert "the archive database does not answer" in waiting.cause
    assert bus.drain(SECONDS)
    assert count(registry, "later") == 1


def test_logs_of_a_handler_carry_what_the_event_is_about(bus: MemoryBus) -> None:
    contexts: Queue[dict[str, object]] = Queue()

    def handle(event: Event, delivery: Delivery) -> Sequence[Event]:
        contexts.put(dict(get_contextvars()))
        return []

    run(bus, handle)
    context = contexts.get(timeout=SECONDS)
    assert context["request_id"] == str(REQUEST.request_id)
    assert context["mous_uid"] == REQUEST.mous_uid
    assert context["message_id"] == str(SUBMITTED.id)
    assert (context["service"], context["attempt"]) == ("entitlement-checker", 1)


def test_a_ticket_that_has_to_wait_is_put_off_like_others(bus: MemoryBus) -> None:
    attempts: Queue[int] = Queue()

    def handle(event: Event, delivery: Delivery) -> Sequence[Event]:
        attempts.put(delivery.attempt)
        if delivery.attempt <= RETRY.unexpected_attempts:
            raise DependencyAwayError("away")
        return []

    registry = CollectorRegistry()
    echo = Echo(handle)
    echo.topics = ("ticket.submitted",)
    Runtime(bus=bus, metrics=ServiceMetrics(registry)).add(echo)
    bus.publish([Event.first(TicketSubmitted(request=TICKET), source="/test")])
    expected = list(range(1, RETRY.unexpected_attempts + 2))
    assert [attempts.get(timeout=SECONDS) for _ in expected] == expected


class Herald(Echo):
    """A service that speaks of its own accord."""

    speaks = False

    def begin(self, publish: Callable[[Sequence[Event]], None]) -> None:
        self.speaks = True
        publish([SUBMITTED])

    def rest(self) -> None:
        self.speaks = False


def test_a_service_that_speaks_of_its_own_accord_does_so_until_it_is_to_rest(bus: MemoryBus) -> None:
    heard: Queue[Event] = Queue()
    bus.listen(heard.put)
    herald = Herald(lambda _event, _delivery: [])
    runtime = Runtime(bus=bus, metrics=ServiceMetrics(CollectorRegistry()))
    runtime.add(herald)
    assert heard.get(timeout=SECONDS).id == SUBMITTED.id
    assert herald.speaks
    runtime.rest()
    assert not herald.speaks


def test_a_services_own_metrics_are_shown_with_those_of_the_runtime() -> None:
    service = Echo(lambda event, delivery: [])
    assert list(registry_of(service).collect()) == []
    measured = CollectorRegistry()
    Counter("restores", "Restores by way", registry=measured).inc(2)
    service.registry = measured  # type: ignore[attr-defined]  # a service may have metrics, or not
    shown = registry_of(service)
    ServiceMetrics(shown)
    assert shown.get_sample_value("restores_total") == 2


@pytest.mark.parametrize(
    ("prefetch", "longest", "held"),
    [
        pytest.param(None, None, None, id="as many as it handles"),
        pytest.param(8, None, 8, id="more ahead"),
        pytest.param(1, None, 3, id="never fewer than it handles"),
        pytest.param(8, 3600.0, None, id="none of hours ahead"),
    ],
)
def test_events_are_held_ahead_if_that_is_set_and_they_are_soon_done(
    prefetch: int | None, longest: float | None, held: int | None
) -> None:
    bus, service = Mock(spec=MemoryBus), Mock(spec=Echo)
    service.name = Echo.name
    service.subscriptions.return_value = [
        Subscription(
            queue=Echo.name, topics=Echo.topics, handler=lambda event, delivery: [], concurrency=3, longest=longest
        )
    ]
    Runtime(bus=bus, metrics=ServiceMetrics(CollectorRegistry()), prefetch=prefetch).add(service)
    ((subscription,), _) = bus.subscribe.call_args
    assert subscription.prefetch == held

"""Metrics that every service has; labels never carry ids."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Event as Flag

from prometheus_client import CollectorRegistry

from contracts.envelope import Event
from contracts.messages import RestoreFailed
from contracts.reasons import ReasonCode
from shared.bus import DeadLetter, Delivery, RetryLater
from shared.declared import CounterMetric, GaugeMetric, HistogramMetric, Label, Metric

OUTCOMES = ("done", "later", "failed")
_SECONDS = (0.005, 0.02, 0.1, 0.5, 2, 10, 30, 60, 300, 900, 3600, 4 * 3600, 12 * 3600)
_SERVICE = Label("service", "the service")
_TOPIC = Label("topic", "what the message is about, e.g. `restore.ordered`")

MESSAGES = CounterMetric(
    name="alma_restore_messages",
    unit="messages",
    meaning="Messages handled, by outcome: done, later (a dependency is away), failed (an error nobody foresaw)",
    labels=(_SERVICE, _TOPIC, Label("outcome", "done, later, failed")),
)
SECONDS = HistogramMetric(
    name="alma_restore_handler_seconds",
    unit="seconds",
    meaning="Seconds from the delivery of a message to the end of its handler",
    labels=(_SERVICE, _TOPIC),
    buckets=_SECONDS,
)
QUEUED = HistogramMetric(
    name="alma_restore_queue_seconds",
    unit="seconds",
    meaning="Age of a message when a handler takes it for the first time: how long it lay in its queue",
    labels=(_SERVICE, _TOPIC),
    buckets=_SECONDS,
)
BUSY = GaugeMetric(
    name="alma_restore_handlers_busy",
    unit="messages",
    meaning="Messages that are being handled",
    labels=(_SERVICE,),
)
RETRIES = CounterMetric(
    name="alma_restore_retries",
    unit="messages",
    meaning="Messages that were put off to be tried again",
    labels=(_SERVICE, _TOPIC),
)
DEAD = CounterMetric(
    name="alma_restore_dead_letters",
    unit="messages",
    meaning="Messages that a handler gave up and that wait among the dead letters for a person",
    labels=(_SERVICE, _TOPIC, Label("code", "stable code of the error; `none` before there was one")),
)
SAID = CounterMetric(
    name="alma_restore_answers",
    unit="messages",
    meaning="Messages that handlers said, with the reason code where they carry one: decisions, failures, ends",
    labels=(_SERVICE, _TOPIC, Label("reason", "reason code; `none` for what has none")),
)
READY = GaugeMetric(
    name="alma_restore_ready",
    unit="1 or 0",
    meaning="Whether the process can take work: by its last answer, no older than a minute; 0 if there is none",
    labels=(_SERVICE,),
)

METRICS: tuple[Metric, ...] = (MESSAGES, SECONDS, QUEUED, BUSY, RETRIES, DEAD, SAID, READY)


class ServiceMetrics:
    """Counts what becomes of messages and how long they wait and are handled.

    Parameters
    ----------
    registry
        Where the metrics are declared; one per process.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._messages = MESSAGES.made(registry)
        self._seconds = SECONDS.made(registry)
        self._queued = QUEUED.made(registry)
        self._busy = BUSY.made(registry)
        self._retries = RETRIES.made(registry)
        self._dead = DEAD.made(registry)
        self._said = SAID.made(registry)
        self._ready = READY.made(registry)

    def expect(self, service: str, topics: Iterable[str]) -> None:
        """Begin the series of a service and its topics, so that what never happens is shown as 0."""
        self._busy.labels(service)
        for topic in topics:
            for outcome in OUTCOMES:
                self._messages.labels(service, topic, outcome)
            for histogram in (self._seconds, self._queued):
                histogram.labels(service, topic)
            self._retries.labels(service, topic)
            self._dead.labels(service, topic, "none")

    @contextmanager
    def handling(self, service: str, event: Event, *, attempt: int) -> Iterator[None]:
        """Count a message as being handled in this block, and how long it waited for that."""
        if attempt == 1:
            waited = (datetime.now(UTC) - event.time).total_seconds()
            self._queued.labels(service, event.topic).observe(max(0.0, waited))
        started = time.monotonic()
        with self._busy.labels(service).track_inprogress():
            try:
                yield
            finally:
                self._seconds.labels(service, event.topic).observe(time.monotonic() - started)

    def ended(self, service: str, topic: str, outcome: str) -> None:
        """Count what became of a message."""
        self._messages.labels(service, topic, outcome).inc()

    def settled(self, service: str, topic: str, decision: RetryLater | DeadLetter) -> None:
        """Count a message that was put off or given up."""
        if isinstance(decision, RetryLater):
            self._retries.labels(service, topic).inc()
        else:
            self._dead.labels(service, topic, decision.code).inc()

    def answered(self, service: str, answers: Sequence[Event]) -> None:
        """Count what was said."""
        for answer in answers:
            self._said.labels(service, answer.topic, _reason_of(answer)).inc()

    def show_ready(self, service: str, is_ready: Callable[[], bool]) -> None:
        """Show whether the process can take work, as it is whenever somebody looks."""
        self._ready.labels(service).set_function(is_ready)


class CountedDelivery:
    """A delivery whose handler's words are counted while it still works, as its answers are afterwards.

    Parameters
    ----------
    delivery
        The delivery.
    count
        Told what was published.
    """

    def __init__(self, *, delivery: Delivery, count: Callable[[Sequence[Event]], None]) -> None:
        self._delivery = delivery
        self._count = count

    @property
    def attempt(self) -> int:
        """How often the event has been given to handlers."""
        return self._delivery.attempt

    @property
    def lost(self) -> Flag:
        """Set when the broker took the delivery back."""
        return self._delivery.lost

    def publish(self, events: Sequence[Event]) -> None:
        """Publish while the handler still works, and count it once it is confirmed."""
        self._delivery.publish(events)
        self._count(events)


def _reason_of(event: Event) -> str:
    """Return the reason code that an event carries; free words, which people give, are none."""
    if isinstance(event.data, RestoreFailed):
        return event.data.failure.reason.value
    reason = getattr(event.data, "reason", None)
    return reason.value if isinstance(reason, ReasonCode) else "none"

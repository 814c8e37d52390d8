"""Run a service: bind its handlers to the bus, watch over it, end it in peace."""

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Event as Flag
from typing import NoReturn

import structlog
from prometheus_client import CollectorRegistry, ProcessCollector
from pydantic import ValidationError
from pydantic_settings import SettingsError
from structlog.contextvars import bound_contextvars

from contracts.envelope import Event
from contracts.flow import QUEUES
from contracts.messages import RequestCancelled, RequestWaiting
from contracts.messages.parts import RestoreRequest
from shared import keys, tracing
from shared.bus import Bus, DeadLetter, Delivery, Handler, RetryLater, Subscription
from shared.bus.base import Reporter
from shared.bus.rabbitmq import RabbitBus
from shared.errors import RestoreError
from shared.health import HealthServer
from shared.housekeeping import Housekeeping
from shared.logs import configure_logs
from shared.metrics import CountedDelivery, ServiceMetrics
from shared.objects import ObjectStore, open_store
from shared.objects.metered import MeteredStore
from shared.quota import Quota
from shared.readiness import Readiness
from shared.service import Listener, Measured, Overseer, Service, Speaker, Tidier, source_of
from shared.settings import RuntimeSettings, explain
from shared.trace_export import exported

log = structlog.get_logger()


class Runtime:
    """Binds services to a bus; the same for one process with all of them and for one each.

    Parameters
    ----------
    bus
        Carries the events.
    metrics
        Where handled messages are counted.
    objects
        Keeps the tracebacks of what is given up; nothing does if None.
    quota
        Counts what is handled.
    prefetch
        Events that are held at a time, at work or ready for it; as many as are handled at a time if None.
    """

    def __init__(
        self,
        *,
        bus: Bus,
        metrics: ServiceMetrics,
        objects: ObjectStore | None = None,
        quota: Quota | None = None,
        prefetch: int | None = None,
    ) -> None:
        self._prefetch = prefetch
        self._bus = bus
        self._quota = quota or Quota()
        self._metrics = metrics
        self._objects = objects
        self._speakers: list[Speaker] = []

    def add(self, service: Service) -> None:
        """Begin to hand a service its events, tell it of cancelled requests if it listens, let it speak if it does."""
        for subscription in service.subscriptions():
            self._metrics.expect(service.name, subscription.topics)
            self._bus.subscribe(
                replace(
                    subscription,
                    prefetch=self._held(subscription),
                    handler=self._watched(service.name, subscription.handler),
                    report=self._counted(service.name, subscription.report or partial(_tell_who_waits, service.name)),
                    keep=self._keep_traceback if self._objects else None,
                )
            )
        if isinstance(service, Listener):
            self._bus.listen(service.hear, topics=(RequestCancelled.topic,))
        if isinstance(service, Overseer):
            service.oversee(self._bus)
        if isinstance(service, Speaker):
            service.begin(self._bus.publish)
            self._speakers.append(service)

    def _held(self, subscription: Subscription) -> int | None:
        """Hold more than is handled only of what is soon done: another replica could do the rest, and its time runs."""
        if self._prefetch is None or subscription.longest is not None:
            return subscription.prefetch
        return max(self._prefetch, subscription.concurrency)

    def rest(self) -> None:
        """Let no service speak of its own accord any more; do so before the bus is drained."""
        while self._speakers:
            self._speakers.pop().rest()

    def _watched(self, service: str, handler: Handler) -> Handler:
        """Wrap a handler with context for its logs, its metrics and the word to those who wait."""

        count = partial(self._metrics.answered, service)

        def handle(event: Event, delivery: Delivery) -> Sequence[Event]:
            started = time.monotonic()
            outcome = "failed"
            with (
                self._quota.one(),
                bound_contextvars(**_context(service, event, delivery)),
                self._metrics.handling(service, event, attempt=delivery.attempt),
            ):
                try:
                    answers = handler(event, CountedDelivery(delivery=delivery, count=count))
                    outcome = "done"
                except RestoreError as error:
                    outcome = "later" if error.transient else outcome
                    raise
                finally:
                    self._metrics.ended(service, event.topic, outcome)
                    log.info("event_handled", outcome=outcome, seconds=round(time.monotonic() - started, 3))
            count(answers)
            return answers

        return handle

    def _counted(self, service: str, report: Reporter) -> Reporter:
        """Count what is put off or given up, beside what is said about it."""

        def count(event: Event, decision: RetryLater | DeadLetter, attempt: int) -> Sequence[Event]:
            self._metrics.settled(service, event.topic, decision)
            return report(event, decision, attempt)

        return count

    def _keep_traceback(self, event: Event, attempt: int, traceback: str) -> str:
        assert self._objects is not None, "there is a store wherever tracebacks are to be kept"
        key = keys.dead_letter(event.id, attempt)
        self._objects.put_bytes(key, traceback.encode(errors="replace"))
        return key


def _tell_who_waits(service: str, event: Event, decision: RetryLater | DeadLetter, attempt: int) -> Sequence[Event]:
    """Say why a request waits and until when."""
    request = getattr(event.data, "request", None)
    if not (isinstance(decision, RetryLater) and isinstance(request, RestoreRequest)):
        return ()
    waiting = RequestWaiting(
        request_id=request.request_id,
        mous_uid=request.mous_uid,
        eb_uid=getattr(event.data, "eb_uid", None),
        service=service,
        cause=decision.cause,
        attempt=attempt,
        next_attempt=datetime.now(UTC) + timedelta(seconds=decision.delay),
    )
    return [event.derive(waiting, source=source_of(service), key=f"{service}/{attempt}")]


def _context(service: str, event: Event, delivery: Delivery) -> dict[str, object]:
    request = getattr(event.data, "request", event.data)
    context = {
        "service": service,
        "topic": event.topic,
        "message_id": str(event.id),
        "request_id": str(event.correlationid),
        "trace_id": tracing.trace_id_of(event),
        "mous_uid": getattr(request, "mous_uid", None),
        "eb_uid": getattr(event.data, "eb_uid", None),
        "attempt": delivery.attempt,
    }
    return {name: value for name, value in context.items() if value is not None}


def run_service(build: Callable[..., Service], *, settings: RuntimeSettings | None = None) -> None:
    """Run a service in this process until SIGTERM or SIGINT; a second signal ends it at once.

    Parameters
    ----------
    build
        Makes the service; called with ``objects``.
    settings
        Where bus and store are; from the environment if None.
    """
    try:
        _run(build, settings or RuntimeSettings())
    except (ValidationError, SettingsError) as error:
        _refuse_to_start(explain(error), error)
    except RestoreError as error:
        _refuse_to_start(str(error), error, code=os.EX_TEMPFAIL if error.transient else 2)


def _refuse_to_start(why: str, error: Exception, *, code: int = 2) -> NoReturn:
    """End with 2 if a person has to change something, with 75 if it is worth starting again."""
    print(f"alma-restore: cannot start: {why}", file=sys.stderr)
    raise SystemExit(code) from error


def _run(build: Callable[..., Service], settings: RuntimeSettings) -> None:
    configure_logs(form=settings.log_format, level=settings.log_level)
    stopping = _stop_on_signals()
    stored = CollectorRegistry()
    objects = MeteredStore(objects=open_store(settings.store), registry=stored)
    service = build(objects=objects)
    retry = settings.retry_policy()
    bus = RabbitBus(settings=settings.bus, retry=retry)
    registry = registry_of(service)
    registry.register(stored)
    metrics = ServiceMetrics(registry)
    ProcessCollector(registry=registry)
    quota = Quota(events=settings.end_after_events, idle=settings.end_when_idle, on_last=bus.stop)
    readiness = Readiness(check=lambda: bus.is_ready() and objects.is_ready() and service.is_ready())
    metrics.show_ready(service.name, readiness.known)
    spans = ExitStack()
    try:
        spans.enter_context(exported(service.name))
        bus.declare(QUEUES)
        runtime = Runtime(bus=bus, metrics=metrics, objects=objects, quota=quota, prefetch=settings.prefetch)
        runtime.add(service)
        with (
            Housekeeping(
                objects=objects,
                interval=settings.sweep_interval,
                age=timedelta(seconds=settings.sweep_age),
                tidiers=[service] if isinstance(service, Tidier) else (),
            ),
            readiness,
            HealthServer(
                host=settings.http_host,
                port=settings.http_port,
                is_live=bus.is_alive,
                is_ready=readiness.ask,
                registry=registry,
            ) as health,
        ):
            log.info("service_started", service=service.name, http_port=health.port)
            why = quota.wait(stopping)
            log.info("service_draining", service=service.name, why=why, timeout=settings.drain_timeout)
            runtime.rest()
            finished = bus.drain(settings.drain_timeout)
    finally:
        bus.close()
        service.close()
        objects.close()
        spans.close()
    log.info("service_stopped", service=service.name, finished=finished)


def registry_of(service: Service) -> CollectorRegistry:
    """Make the registry that a process shows, with the service's own metrics in it if it has any."""
    registry = CollectorRegistry()
    if isinstance(service, Measured):
        registry.register(service.registry)
    return registry


def _stop_on_signals() -> Flag:
    stopping = Flag()

    def stop(number: int, _frame: object) -> None:
        if stopping.is_set():
            # At once: what is unfinished was not acknowledged, and comes again.
            os._exit(128 + number)
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    return stopping

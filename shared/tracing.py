"""Spans of a request's way, by OpenTelemetry's API; nothing is done and nothing costs where none are recorded.

Every event carries a W3C trace context whose trace is the request's id and whose span is made
from the event's own id, see `contracts.envelope`. So the span of publishing an event is known
before it is recorded: it is recorded under that very id, and whoever handles the event hangs
its own span below. Nothing is written into an event for it, and an event that is said again
is the same to the last byte.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from contextvars import ContextVar

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.propagate import extract, inject
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode, Tracer
from opentelemetry.trace import set_span_in_context as below

from contracts.envelope import Event

Attributes = Mapping[str, str | int | float | bool]

_WANTED: ContextVar[SpanContext | None] = ContextVar("wanted_span", default=None)
_NOTHING: AbstractContextManager[None] = nullcontext()
_SYSTEM = "alma_restore"


class _Recording:
    """Whether spans are recorded in this process, and by what."""

    tracer: Tracer | None = None


@contextmanager
def recorded(tracer: Tracer) -> Iterator[None]:
    """Record spans with a tracer while this lasts; its ids must be chosen by `wanted`."""
    before, _Recording.tracer = _Recording.tracer, tracer
    try:
        yield
    finally:
        _Recording.tracer = before


def wanted() -> SpanContext | None:
    """Return the ids that the span which is begun right now must have, if it is one that an event knows of."""
    return _WANTED.get()


def trace_id_of(event: Event) -> str:
    """Return the id of the trace that an event is part of, as it is written in the event and in logs."""
    return event.traceparent.split("-")[1]


def handling(event: Event, *, queue: str, attempt: int) -> AbstractContextManager[object]:
    """Record that an event is handled and what it leads to is said; below the span that published it."""
    if _Recording.tracer is None:
        return _NOTHING
    return _Recording.tracer.start_as_current_span(
        f"process {event.topic}",
        context=below(NonRecordingSpan(_context_of(event)), Context()),
        kind=SpanKind.CONSUMER,
        attributes={
            **_about(event),
            "messaging.operation.type": "process",
            "messaging.destination.name": queue,
            "alma_restore.attempt": attempt,
        },
    )


def publishing(events: Sequence[Event]) -> AbstractContextManager[object]:
    """Record that events are published, each under the ids that it carries."""
    return _NOTHING if _Recording.tracer is None else _publishing(_Recording.tracer, events)


@contextmanager
def _publishing(tracer: Tracer, events: Sequence[Event]) -> Iterator[None]:
    with ExitStack() as spans:
        here = trace.get_current_span()
        for event in events:
            spans.enter_context(trace.use_span(_publication(tracer, event, here), end_on_exit=True))
        yield


def _publication(tracer: Tracer, event: Event, here: Span) -> Span:
    """Begin the span of an event that is published: below what leads to it, or linked to it from a trace of its own."""
    there, known = _context_of(event), here.get_span_context()
    same = known.trace_id == there.trace_id
    token = _WANTED.set(there)
    try:
        return tracer.start_span(
            f"publish {event.topic}",
            context=below(here, Context()) if same else Context(),
            kind=SpanKind.PRODUCER,
            attributes={**_about(event), "messaging.operation.type": "send"},
            links=[Link(known)] if known.is_valid and not same else (),
        )
    finally:
        _WANTED.reset(token)


def calling(name: str, attributes: Attributes) -> AbstractContextManager[object]:
    """Record a call of an outside system that a traced piece of work makes; nothing else's calls are recorded."""
    if _Recording.tracer is None or not trace.get_current_span().get_span_context().is_valid:
        return _NOTHING
    return _Recording.tracer.start_as_current_span(name, kind=SpanKind.CLIENT, attributes=attributes)


def answering(name: str, headers: Mapping[str, str], attributes: Attributes) -> AbstractContextManager[object]:
    """Record that a call over HTTP is answered, below the caller's own span if the headers name one."""
    if _Recording.tracer is None:
        return _NOTHING
    return _Recording.tracer.start_as_current_span(
        name, context=extract(headers, Context()), kind=SpanKind.SERVER, attributes=attributes
    )


def named(name: str, attributes: Attributes) -> None:
    """Give the current span a better name, and tell what is known of it only now."""
    if _Recording.tracer is not None:
        span = trace.get_current_span()
        span.update_name(name)
        span.set_attributes(attributes)


def noted(name: str, attributes: Attributes) -> None:
    """Note in the current span that something happened."""
    if _Recording.tracer is not None:
        trace.get_current_span().add_event(name, attributes)


def failed(error: BaseException) -> None:
    """Say that the current span's work ended with an error which is dealt with elsewhere."""
    if _Recording.tracer is not None:
        span = trace.get_current_span()
        span.record_exception(error)
        span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))


def headers() -> dict[str, str]:
    """Return the headers by which a server that is called knows the current span; none if none is recorded."""
    found: dict[str, str] = {}
    if _Recording.tracer is not None:
        inject(found)
    return found


def ids() -> dict[str, str]:
    """Return the ids of the current span as logs name them; none if none is recorded."""
    if _Recording.tracer is None:
        return {}
    here = trace.get_current_span().get_span_context()
    if not here.is_valid:
        return {}
    return {"trace_id": trace.format_trace_id(here.trace_id), "span_id": trace.format_span_id(here.span_id)}


def _context_of(event: Event) -> SpanContext:
    _, trace_id, span_id, flags = event.traceparent.split("-")
    return SpanContext(
        int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=trace.TraceFlags(int(flags, 16))
    )


def _about(event: Event) -> dict[str, str]:
    return {
        "messaging.system": _SYSTEM,
        "messaging.message.id": str(event.id),
        "messaging.message.conversation_id": str(event.correlationid),
        "cloudevents.event_source": event.source,
        "cloudevents.event_subject": event.subject,
        "cloudevents.event_type": event.type,
    }

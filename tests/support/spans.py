"""What was recorded of a way: spans in memory, and whether they hang together."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, format_span_id, format_trace_id

from contracts.envelope import Event
from shared import tracing
from shared.trace_export import make_provider


class Spans:
    """The spans that ended so far."""

    def __init__(self, exporter: InMemorySpanExporter) -> None:
        self._exporter = exporter

    def add(self, spans: Sequence[ReadableSpan]) -> None:
        """Keep spans that other processes recorded, too."""
        self._exporter.export(spans)

    def all(self) -> Sequence[ReadableSpan]:
        return self._exporter.get_finished_spans()

    def of(self, trace_id: str) -> list[ReadableSpan]:
        return [span for span in self.all() if trace_of(span) == trace_id]

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.all() if span.name == name]


@contextmanager
def kept_spans() -> Iterator[Spans]:
    """Record the spans of this process while this lasts."""
    exporter = InMemorySpanExporter()
    provider = make_provider("test", SimpleSpanProcessor(exporter))
    with tracing.recorded(provider.get_tracer("test")):
        yield Spans(exporter)
    provider.shutdown()


def trace_of(span: ReadableSpan) -> str:
    return format_trace_id(span.context.trace_id)


def parent_of(span: ReadableSpan) -> str | None:
    return None if span.parent is None else format_span_id(span.parent.span_id)


def id_of(span: ReadableSpan) -> str:
    return format_span_id(span.context.span_id)


def span_of(event: Event) -> str:
    """The id of the span that published an event, as the event says it."""
    return event.traceparent.split("-")[2]


def faults(spans: Sequence[ReadableSpan]) -> list[str]:
    """Say where the spans of one trace do not hang together: each handler below what published its event."""
    by_id = {id_of(span): span for span in spans}
    found = []
    for span in spans:
        parent = by_id.get(parent_of(span) or "")
        if parent is None and not (span.parent is None and span.kind is SpanKind.PRODUCER):
            found.append(f"{span.name}: its parent {parent_of(span)} was not recorded")
        elif span.kind is SpanKind.CONSUMER and (parent is None or parent.kind is not SpanKind.PRODUCER):
            found.append(f"{span.name}: its parent did not publish")
        elif span.kind is SpanKind.CONSUMER and parent is not None and message_of(parent) != message_of(span):
            found.append(f"{span.name}: its parent published another event")
    return found


def service_of(span: ReadableSpan) -> object:
    return span.resource.attributes["service.name"]


def message_of(span: ReadableSpan) -> object:
    return (span.attributes or {}).get("messaging.message.id")

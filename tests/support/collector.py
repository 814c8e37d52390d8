"""An OTLP collector's place: takes what processes export over HTTP, and keeps the spans that it finds in it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext, SpanKind

Take = Callable[[Sequence[ReadableSpan]], object]


@contextmanager
def collecting(take: Take) -> Iterator[dict[str, str]]:
    """Hand over each batch of spans that arrives while this lasts; yields the environment that sends them here."""
    with _Server(take) as server:
        thread = Thread(target=server.serve_forever, name="collector")
        thread.start()
        try:
            yield {
                "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
                "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
                "OTEL_BSP_SCHEDULE_DELAY": "200",
            }
        finally:
            server.shutdown()
            thread.join()


class _Server(ThreadingHTTPServer):
    def __init__(self, take: Take) -> None:
        self.take = take
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        known = self.path == "/v1/traces"
        if known:
            self.server.take(list(_spans(ExportTraceServiceRequest.FromString(body))))
        self.send_response(200 if known else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        pass


def _spans(request: ExportTraceServiceRequest) -> Iterator[ReadableSpan]:
    for sent in request.resource_spans:
        resource = Resource({each.key: each.value.string_value for each in sent.resource.attributes})
        for scope in sent.scope_spans:
            yield from (_span(span, resource) for span in scope.spans)


def _span(span: Span, resource: Resource) -> ReadableSpan:
    """Read a span; of its attributes those that are words."""
    words = {each.key: each.value.string_value for each in span.attributes if each.value.HasField("string_value")}
    return ReadableSpan(
        name=span.name,
        context=_context(span.trace_id, span.span_id),
        parent=_context(span.trace_id, span.parent_span_id) if span.parent_span_id else None,
        resource=resource,
        attributes=words,
        kind=SpanKind(span.kind - 1),  # OTLP counts from "unspecified"
    )


def _context(trace_id: bytes, span_id: bytes) -> SpanContext:
    return SpanContext(int.from_bytes(trace_id), int.from_bytes(span_id), is_remote=True)

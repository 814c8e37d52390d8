"""An NGAS server is told in whose trace it is asked."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

from opentelemetry.trace import SpanKind

from contracts.envelope import Event
from contracts.messages import RequestSubmitted
from services.ngas_fetcher.client import NgasClient
from shared import tracing
from tests.support.samples import REQUEST
from tests.support.spans import kept_spans

SUBMITTED = Event.first(RequestSubmitted(request=REQUEST), source="/alma-restore/test")


@contextmanager
def asked() -> Iterator[tuple[str, list[str | None]]]:
    """Run a server of one file; yields its address, and the trace context of each request that comes."""
    contexts: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            contexts.append(self.headers["traceparent"])
            self.send_response(200)
            self.send_header("Content-Length", "1")
            self.end_headers()
            self.wfile.write(b"x")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}", contexts
        server.shutdown()


def retrieve(server: str) -> None:
    client = NgasClient(known_hosts=[], credentials=None, connect_timeout=5, stall_timeout=5)
    with client.open(server, "a", 1) as body:
        assert list(body.chunks()) == [b"x"]


def test_a_retrieve_names_the_span_that_records_it() -> None:
    with asked() as (server, contexts), kept_spans() as spans:
        with tracing.handling(SUBMITTED, queue="ngas-fetcher", attempt=1):
            retrieve(server)
        (call,) = (span for span in spans.of(REQUEST.request_id.hex) if span.kind is SpanKind.CLIENT)
        assert contexts == [f"00-{REQUEST.request_id.hex}-{call.context.span_id:016x}-01"]


def test_no_trace_is_named_where_none_is_recorded() -> None:
    with asked() as (server, contexts):
        retrieve(server)
    assert contexts == [None]

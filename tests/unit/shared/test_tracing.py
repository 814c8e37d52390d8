"""Spans of a request's way hang together by what its events carry, and cost nothing where none are recorded."""

import io
import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from queue import Queue

import pytest
from opentelemetry.trace import SpanKind, StatusCode
from prometheus_client import CollectorRegistry
from structlog import get_logger

from contracts.envelope import Event
from contracts.messages import RequestAccepted, RequestSubmitted
from contracts.messages.parts import Entitlement
from shared import tracing
from shared.bus import Delivery, RetryPolicy, Subscription
from shared.bus.memory import MemoryBus
from shared.errors import DependencyAwayError
from shared.logs import configure_logs
from shared.objects.base import ObjectExistsError
from shared.objects.directory import DirectoryStore
from shared.objects.metered import MeteredStore
from tests.support.samples import REQUEST
from tests.support.spans import Spans, faults, id_of, kept_spans, parent_of, span_of, trace_of

SUBMITTED = Event.first(RequestSubmitted(request=REQUEST), source="/alma-restore/test")
ACCEPTED = SUBMITTED.derive(RequestAccepted(request=REQUEST, entitlement=Entitlement.PI), source="/alma-restore/test")
SECONDS = 10.0


@pytest.fixture
def spans() -> Iterator[Spans]:
    with kept_spans() as spans:
        yield spans


def way(store: MeteredStore | None = None, *, fails: int = 0) -> None:
    """Let a request go two hops, and wait until the second handler has worked."""
    ended = Queue[Event]()

    def first(event: Event, delivery: Delivery) -> Sequence[Event]:
        if delivery.attempt <= fails:
            raise DependencyAwayError("the archive database does not answer")
        return [ACCEPTED]

    def second(event: Event, _delivery: Delivery) -> Sequence[Event]:
        if store is not None:
            store.put_bytes("asdm/a", b"1")
        ended.put(event)
        return []

    with closing(MemoryBus(retry=RetryPolicy(delays=(0.01,)))) as bus:
        bus.subscribe(Subscription(queue="checker", topics=(SUBMITTED.topic,), handler=first))
        bus.subscribe(Subscription(queue="resolver", topics=(ACCEPTED.topic,), handler=second))
        bus.publish([SUBMITTED])
        ended.get(timeout=SECONDS)
        assert bus.drain(SECONDS)


def test_each_handler_hangs_below_what_published_its_event_and_all_are_one_trace(spans: Spans, tmp_path: Path) -> None:
    way(MeteredStore(objects=DirectoryStore(root=tmp_path), registry=CollectorRegistry()))
    recorded = spans.all()
    assert {trace_of(span) for span in recorded} == {REQUEST.request_id.hex}
    assert faults(recorded) == []
    (said,), (handled,) = spans.named("publish request.accepted"), spans.named("process request.accepted")
    (before,), (stored,) = spans.named("process request.submitted"), spans.named("object store put_bytes")
    assert id_of(said) == span_of(ACCEPTED)
    assert (parent_of(said), parent_of(handled), parent_of(stored)) == (id_of(before), id_of(said), id_of(handled))


def test_a_missing_parent_or_one_that_did_not_publish_is_a_fault(spans: Spans) -> None:
    way()
    without = [span for span in spans.all() if span.name != "publish request.accepted"]
    assert faults(without) == [
        f"process request.accepted: its parent {span_of(ACCEPTED)} was not recorded",
    ]


def test_what_is_published_for_another_request_begins_in_its_own_trace_and_links_here(spans: Spans) -> None:
    with closing(MemoryBus()) as bus, tracing.answering("POST", {}, {}):
        bus.declare({"checker": (SUBMITTED.topic,)})
        bus.publish([SUBMITTED])
    (call,), (said,) = spans.named("POST"), spans.named("publish request.submitted")
    assert trace_of(said) == REQUEST.request_id.hex != trace_of(call)
    assert said.parent is None
    assert [link.context.span_id for link in said.links] == [call.context.span_id]


def test_a_try_that_failed_is_a_span_with_its_error_and_the_next_is_its_sibling(spans: Spans) -> None:
    way(fails=1)
    failed, done = spans.named("process request.submitted")
    assert failed.status.status_code is StatusCode.ERROR
    assert "archive database does not answer" in str(failed.status.description)
    assert done.status.status_code is StatusCode.UNSET
    assert parent_of(failed) == parent_of(done) == span_of(SUBMITTED)


def test_a_caller_s_trace_is_gone_on_with(spans: Spans) -> None:
    with tracing.answering("GET", {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}, {}):
        assert tracing.headers()["traceparent"].startswith(f"00-{'a' * 32}-")
    (span,) = spans.all()
    assert (trace_of(span), parent_of(span), span.kind) == ("a" * 32, "b" * 16, SpanKind.SERVER)


def test_a_call_that_nobody_s_request_needs_is_not_recorded(spans: Spans, tmp_path: Path) -> None:
    MeteredStore(objects=DirectoryStore(root=tmp_path), registry=CollectorRegistry()).put_bytes("asdm/a", b"1")
    assert spans.all() == ()


def test_that_another_was_first_to_create_an_object_is_no_error_in_a_trace(spans: Spans, tmp_path: Path) -> None:
    store = MeteredStore(objects=DirectoryStore(root=tmp_path), registry=CollectorRegistry())
    with tracing.answering("POST", {}, {}):
        store.create("leases/a", b"1")
        with pytest.raises(ObjectExistsError):
            store.create("leases/a", b"2")
    assert [span.status.status_code for span in spans.named("object store create")] == [StatusCode.UNSET] * 2


def test_logs_name_the_span_that_they_are_written_in(spans: Spans) -> None:
    stream = io.StringIO()
    configure_logs(form="json", level="INFO", stream=stream)
    with tracing.handling(SUBMITTED, queue="checker", attempt=1):
        get_logger().info("something_happened")
    get_logger().info("something_else")
    inside, outside = (json.loads(line) for line in stream.getvalue().splitlines())
    (span,) = spans.all()
    assert (inside["trace_id"], inside["span_id"]) == (REQUEST.request_id.hex, id_of(span))
    assert "trace_id" not in outside


def test_nothing_is_recorded_begun_or_sent_along_where_nobody_records() -> None:
    assert tracing.handling(SUBMITTED, queue="checker", attempt=1) is tracing.publishing([SUBMITTED])
    assert tracing.calling("object store get", {}) is tracing.answering("GET", {}, {})
    assert (tracing.headers(), tracing.ids()) == ({}, {})


def test_an_event_is_the_same_whether_spans_are_recorded_or_not() -> None:
    with kept_spans() as spans, closing(MemoryBus()) as bus:
        bus.declare({"checker": (SUBMITTED.topic,)})
        heard = Queue[Event]()
        bus.listen(heard.put)
        bus.publish([SUBMITTED])
        assert heard.get(timeout=SECONDS).encode() == SUBMITTED.encode()
        assert len(spans.all()) == 1

"""Spans go where OpenTelemetry's own variables say, and nowhere without them."""

import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from pydantic import ValidationError

from contracts.envelope import Event
from contracts.messages import RequestSubmitted
from shared import tracing
from shared.errors import MisconfiguredError
from shared.settings import explain
from shared.trace_export import exported
from shared.tracing_settings import TracingSettings
from tests.support.samples import REQUEST
from tests.support.spans import span_of

SUBMITTED = Event.first(RequestSubmitted(request=REQUEST), source="/alma-restore/test")


class Collector(HTTPServer):
    """Takes what an OTLP exporter sends."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, bytes]] = []
        taken = self.taken

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                taken.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
                pass

        super().__init__(("127.0.0.1", 0), Handler)


def test_no_spans_are_recorded_unless_the_environment_names_a_place() -> None:
    assert TracingSettings().exporter is None
    with exported("notifier"):
        assert tracing.ids() == {}
        assert tracing.handling(SUBMITTED, queue="notifier", attempt=1) is tracing.publishing([])


def test_spans_reach_a_collector_with_the_service_s_name_before_the_process_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Collector() as collector:
        Thread(target=collector.serve_forever, daemon=True).start()
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{collector.server_port}")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
        with exported("notifier"), tracing.handling(SUBMITTED, queue="notifier", attempt=1):
            pass
        collector.shutdown()
    ((path, body),) = collector.taken
    sent = ExportTraceServiceRequest.FromString(body).resource_spans[0]
    about = {each.key: each.value.string_value for each in sent.resource.attributes}
    (span,) = sent.scope_spans[0].spans
    assert path == "/v1/traces"
    assert (about["service.name"], about["service.namespace"]) == ("notifier", "alma-restore")
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (REQUEST.request_id.hex, span_of(SUBMITTED))


@pytest.mark.parametrize(
    ("variables", "recorded"),
    [
        ({"OTEL_TRACES_EXPORTER": "console"}, "console"),
        ({"OTEL_TRACES_EXPORTER": "console", "OTEL_SDK_DISABLED": "true"}, None),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"}, "otlp"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_TRACES_EXPORTER": "none"}, None),
    ],
)
def test_the_standard_variables_choose(
    variables: dict[str, str], recorded: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert TracingSettings().exporter == recorded


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"OTEL_TRACES_EXPORTER": "otlp"}, "OTEL_EXPORTER_OTLP_ENDPOINT"),
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER"),
        ({"OTEL_TRACES_SAMPLER": "traceidratio"}, "OTEL_TRACES_SAMPLER"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "OTEL_EXPORTER_OTLP_PROTOCOL"),
    ],
)
def test_what_cannot_work_is_refused_by_the_variable_s_name(
    variables: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError) as caught:
        TracingSettings()
    assert said in explain(caught.value)


def test_a_missing_package_is_named_with_the_extra_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace.export", None)
    with (
        pytest.raises(MisconfiguredError, match=r"alma-restore\[tracing\]"),
        exported("notifier", TracingSettings(traces_exporter="console")),
    ):
        pass

"""Spans go where OpenTelemetry's own variables say, and nowhere without them."""

import sys

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind
from pydantic import ValidationError

from contracts.envelope import Event
from contracts.messages import RequestSubmitted
from shared import tracing
from shared.errors import MisconfiguredError
from shared.settings import explain
from shared.trace_export import exported
from shared.tracing_settings import TracingSettings
from tests.support.collector import collecting
from tests.support.samples import REQUEST
from tests.support.spans import message_of, parent_of, service_of, span_of, trace_of

SUBMITTED = Event.first(RequestSubmitted(request=REQUEST), source="/alma-restore/test")


def test_no_spans_are_recorded_unless_the_environment_names_a_place() -> None:
    assert TracingSettings().exporter is None
    with exported("notifier"):
        assert tracing.ids() == {}
        assert tracing.handling(SUBMITTED, queue="notifier", attempt=1) is tracing.publishing([])


def test_spans_reach_a_collector_with_the_service_s_name_before_the_process_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken: list[ReadableSpan] = []
    with collecting(taken.extend) as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        with exported("notifier"), tracing.handling(SUBMITTED, queue="notifier", attempt=1):
            pass
    (span,) = taken
    assert (span.resource.attributes["service.namespace"], service_of(span)) == ("alma-restore", "notifier")
    assert (trace_of(span), parent_of(span)) == (REQUEST.request_id.hex, span_of(SUBMITTED))
    assert (span.name, span.kind) == ("process request.submitted", SpanKind.CONSUMER)
    assert message_of(span) == str(SUBMITTED.id)


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

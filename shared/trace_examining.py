"""Examines whether spans get to the collector that OpenTelemetry's variables name."""

from typing import Any

from shared.findings import Findings
from shared.tracing_settings import TracingSettings

_SECONDS = 3.0


def examine_traces(settings: TracingSettings) -> Findings:
    """Send the collector a batch without spans, as services send theirs; nothing is found if there is none."""
    findings = Findings("traces")
    if settings.exporter != "otlp":
        return findings
    is_taken, answer = _try_out()
    if is_taken:
        findings.ok("collector", answer)
    else:
        findings.warn(
            "collector",
            answer,
            "start it, and check OTEL_EXPORTER_OTLP_ENDPOINT, its headers and certificates, and that it takes OTLP "
            "over HTTP (usually on port 4318); until then spans are lost and all else works",
        )
    return findings


def _try_out() -> tuple[bool, str]:
    """Have the exporter send nothing; it reads its variables itself. Tell whether it was taken, and the answer."""
    # Only here, since a process that exports no spans needs none of this.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import SpanExportResult
    from requests import RequestException, Response, Session

    class Noting(Session):
        """Knows what came of the last request: the exporter tells no more than that it failed."""

        answer = "it was not asked"

        def request(self, *args: Any, **kwargs: Any) -> Response:
            try:
                response = super().request(*args, **kwargs)
            except RequestException as error:
                self.answer = str(error)
                raise
            self.answer = f"{response.url} answers {response.status_code} {response.reason}"
            return response

    with Noting() as session:
        exporter = OTLPSpanExporter(session=session, timeout=_SECONDS)
        result = exporter.export([])
        exporter.shutdown()  # type: ignore[no-untyped-call]  # OpenTelemetry leaves it untyped
        return result is SpanExportResult.SUCCESS, session.answer

"""Where recorded spans go: chosen by OpenTelemetry's own variables of the environment, and nowhere without them."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Literal

from shared import tracing
from shared.errors import MisconfiguredError
from shared.tracing_settings import TracingSettings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter


@contextmanager
def exported(service: str, settings: TracingSettings | None = None) -> Iterator[None]:
    """Record spans of this process and send them off while this lasts, if the settings say where to.

    Parameters
    ----------
    service
        Name of the service, unless ``OTEL_SERVICE_NAME`` is set.
    settings
        From the environment if None.

    Raises
    ------
    MisconfiguredError
        If spans are wanted and what records them is not installed.
    """
    settings = settings or TracingSettings()
    if settings.exporter is None:
        yield
        return
    try:
        provider = _provider(settings.service_name or service, settings.exporter)
    except ModuleNotFoundError as error:
        raise MisconfiguredError(
            f"spans are to be recorded, but the package {error.name!r} is missing: pip install 'alma-restore[tracing]'"
        ) from error
    try:
        with tracing.recorded(provider.get_tracer("alma-restore", version("alma-restore"))):
            yield
    finally:
        provider.shutdown()


def make_provider(service: str, processor: "SpanProcessor") -> "TracerProvider":
    """Make what records spans under the ids that events know them by, and hands them to a processor."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

    class EventIds(RandomIdGenerator):
        """The ids of an event where its publication is recorded, else random ones."""

        def generate_trace_id(self) -> int:
            found = tracing.wanted()
            return found.trace_id if found else super().generate_trace_id()

        def generate_span_id(self) -> int:
            found = tracing.wanted()
            return found.span_id if found else super().generate_span_id()

    about = {"service.name": service, "service.namespace": "alma-restore", "service.version": version("alma-restore")}
    provider = TracerProvider(resource=Resource.create(about), id_generator=EventIds(), shutdown_on_exit=False)
    provider.add_span_processor(processor)
    return provider


def _provider(service: str, exporter: Literal["otlp", "console"]) -> "TracerProvider":
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    return make_provider(service, BatchSpanProcessor(_exporter(exporter)))


def _exporter(kind: Literal["otlp", "console"]) -> "SpanExporter":
    if kind == "console":
        from opentelemetry.sdk.trace.export import ConsoleSpanExporter

        return ConsoleSpanExporter(out=sys.stderr)
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter()

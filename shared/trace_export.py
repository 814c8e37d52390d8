"""Where recorded spans go: chosen by OpenTelemetry's own variables of the environment, and nowhere without them."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared import tracing
from shared.errors import MisconfiguredError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter, SpanProcessor


class TracingSettings(BaseSettings):
    """Whether spans are recorded, and where they go.

    OpenTelemetry's SDK reads its other variables itself: headers, certificates, time-outs, batches, resource.
    """

    model_config = SettingsConfigDict(env_prefix="OTEL_", frozen=True, hide_input_in_errors=True)

    service_name: str | None = Field(default=None, description="Name of this process in traces; the service's if unset")
    sdk_disabled: bool = Field(default=False, description="Record no spans, whatever else is set")
    traces_exporter: Literal["otlp", "console", "none"] | None = Field(
        default=None, description="otlp, console (standard error) or none; otlp if only an endpoint is set"
    )
    exporter_otlp_endpoint: str | None = Field(default=None, description="The collector, e.g. http://collector:4318")
    exporter_otlp_traces_endpoint: str | None = Field(default=None, description="The same, whole, for spans alone")
    exporter_otlp_protocol: Literal["http/protobuf"] = Field(
        default="http/protobuf", description="How the collector is spoken to; only http/protobuf is built in"
    )
    traces_sampler: Literal["always_on", "always_off", "parentbased_always_on", "parentbased_always_off"] = Field(
        default="parentbased_always_on",
        description="Which traces are recorded: a share of them is to be chosen by the collector, "
        "since the low bits of our trace ids are those of a UUID and the SDK's ratio would take none or all",
    )

    @model_validator(mode="after")
    def _has_a_place(self) -> Self:
        if self.traces_exporter == "otlp" and not (self.exporter_otlp_endpoint or self.exporter_otlp_traces_endpoint):
            raise ValueError(
                "OTEL_TRACES_EXPORTER is otlp: say where, e.g. OTEL_EXPORTER_OTLP_ENDPOINT=http://host:4318"
            )
        return self

    @property
    def exporter(self) -> Literal["otlp", "console"] | None:
        """Where spans go; None if none are recorded."""
        if self.sdk_disabled or self.traces_exporter == "none":
            return None
        has_place = self.exporter_otlp_endpoint or self.exporter_otlp_traces_endpoint
        return self.traces_exporter or ("otlp" if has_place else None)


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

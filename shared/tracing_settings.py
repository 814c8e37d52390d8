"""Settings of traces, by OpenTelemetry's own names."""

from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


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

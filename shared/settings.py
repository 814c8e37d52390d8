"""Settings of every process, from the environment: ``ALMA_RESTORE_BUS__URL`` and so on."""

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.bus.retry import RetryPolicy
from shared.bus.settings import RabbitSettings
from shared.logs import LogFormat
from shared.objects.settings import StoreSettings

PREFIX = "ALMA_RESTORE_"


class BusAccess(BaseSettings):
    """Where the bus is: all that somebody needs who only speaks and listens.

    Members of nested settings follow two underscores, e.g. ``ALMA_RESTORE_BUS__URL``.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", frozen=True, hide_input_in_errors=True
    )

    bus: RabbitSettings = Field(default_factory=RabbitSettings, description="The RabbitMQ broker")
    retry_delays: tuple[float, ...] = Field(
        default=RetryPolicy.delays, min_length=1, description="Seconds to wait after the first, second, … failed try"
    )
    retry_deadline: float = Field(default=RetryPolicy.deadline, gt=0, description="Seconds until a try is the last")

    def retry_policy(self) -> RetryPolicy:
        """Return when failed handlers are tried again."""
        return RetryPolicy(delays=self.retry_delays, deadline=self.retry_deadline)


class RuntimeSettings(BusAccess):
    """Where bus and store are, and how a service's process behaves and shows itself."""

    store: StoreSettings = Field(description="The object store; ALMA_RESTORE_STORE__KIND is directory or s3")
    drain_timeout: float = Field(default=30.0, ge=0, description="Seconds that handlers get to finish at SIGTERM")
    end_after_events: int | None = Field(
        default=None, ge=1, description="Events after which the process ends by itself, where one is started per event"
    )
    prefetch: int | None = Field(
        default=None,
        ge=1,
        description="Events that a process holds, at work or ready for it; as many as it handles at a time if unset, "
        "and never fewer. Services whose work may take hours hold no more than they handle",
    )
    end_when_idle: float | None = Field(
        default=None, gt=0, description="Seconds without an event after which the process ends by itself"
    )
    sweep_interval: float = Field(
        default=3600.0, gt=0, description="Seconds between two removals of what killed writers left in the store"
    )
    sweep_age: float = Field(
        default=7 * 86400.0, gt=0, description="Seconds after which a write that did not end is taken for dead"
    )
    http_host: str = Field(default="127.0.0.1", description="Address of /live, /ready and /metrics")
    http_port: int = Field(default=0, ge=0, le=65535, description="Port of these; 0 takes a free one")
    log_format: LogFormat = Field(default="json", description="json, or text for people")
    log_level: str = Field(
        default="INFO",
        pattern="^(DEBUG|INFO|WARNING|ERROR|CRITICAL)$",
        description="Least level that is logged: DEBUG, INFO, WARNING, ERROR or CRITICAL",
    )


def explain(error: ValidationError) -> str:
    """Say each broken setting or member in a line: where, what, and which variable of the environment it is."""
    prefix = _prefix_of(error.title)
    lines = []
    for item in error.errors(include_url=False, include_input=False):
        names = [str(part) for part in item["loc"]]
        variable = "" if prefix is None else f" (environment: {prefix}{'__'.join(names).upper()})"
        lines.append(f"{'.'.join(names)}: {item['msg']}{variable}")
    return "; ".join(lines)


def _prefix_of(title: str) -> str | None:
    """Find the prefix of a settings class by its name; None for data that does not come from the environment."""
    classes = list(BaseSettings.__subclasses__())
    for cls in classes:
        classes.extend(cls.__subclasses__())
    return next((cls.model_config.get("env_prefix") for cls in classes if cls.__name__ == title), None)

"""Settings of every process, from the environment: ``ALMA_RESTORE_BUS__URL`` and so on."""

from collections.abc import Sequence
from typing import TypeGuard, get_args

from pydantic import BaseModel, Field, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from shared.bus.retry import RetryPolicy
from shared.bus.settings import RabbitSettings
from shared.logs import LogFormat
from shared.objects.settings import StoreSettings

PREFIX = "ALMA_RESTORE_"
_OF_THE_KIND = ("missing", "union_tag_not_found", "union_tag_invalid")


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


class StoreAccess(BaseSettings):
    """Where the object store is: all that somebody needs who only reads and writes there."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", frozen=True, hide_input_in_errors=True
    )

    store: StoreSettings = Field(description="The object store; ALMA_RESTORE_STORE__KIND is directory or s3")


class RuntimeSettings(StoreAccess, BusAccess):
    """Where bus and store are, and how a service's process behaves and shows itself."""

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


def explain(error: ValidationError | SettingsError) -> str:
    """Say each broken setting or member in a line: where, what, and which variable of the environment it is."""
    if isinstance(error, SettingsError):
        return _explain_unparsed(error)
    settings = next((cls for cls in _all_settings() if cls.__name__ == error.title), None)
    items = error.errors(include_url=False, include_input=False)
    return "; ".join(_explain_one(item, settings) for item in items if not _follows_from_another(item, items))


def _follows_from_another(item: ErrorDetails, items: Sequence[ErrorDetails]) -> bool:
    """Whether a list is said to be too short only because what it holds is wrong."""
    depth = len(item["loc"])
    return item["type"] == "too_short" and any(
        len(other["loc"]) > depth and other["loc"][:depth] == item["loc"] for other in items
    )


def _explain_unparsed(error: SettingsError) -> str:
    """Say which value is no JSON; the error itself names a member, and neither its class nor its variable."""
    member = str(error).partition('"')[2].partition('"')[0]
    prefixes = [cls.model_config.get("env_prefix", "") for cls in _all_settings() if member in cls.model_fields]
    variables = " or ".join(sorted({f"{prefix}{member}".upper() for prefix in prefixes}))
    return f"{member}: is not JSON, as lists and nested settings have to be, e.g. [1, 10] (environment: {variables})"


def _explain_one(item: ErrorDetails, settings: type[BaseSettings] | None) -> str:
    if settings is None:
        return f"{'.'.join(str(part) for part in item['loc'])}: {_said(item)}"
    if not item["loc"]:
        return _said(item)
    names, variable = _trail(settings, item)
    return f"{'.'.join(names)}: {_said(item)} (environment: {variable})"


def _said(item: ErrorDetails) -> str:
    """Say what is wrong; pydantic begins with what kind of error it was."""
    if item["type"] == "extra_forbidden":
        return "is not known, or not together with what else is set: take it away"
    return item["msg"].removeprefix("Value error, ")


def _trail(settings: type[BaseSettings], item: ErrorDetails) -> tuple[list[str], str]:
    """Follow an error to its member; return the names on the way, and the variable that sets it."""
    names, parts = list[str](), [str(part) for part in item["loc"]]
    model: type[BaseModel] | None = settings
    variable = list[str]()
    while parts and model is not None:
        name = parts.pop(0)
        names.append(name)
        variable.append(name)
        field = model.model_fields.get(name)
        model = None
        if field is None:
            continue
        kinds = [kind for kind in (field.annotation, *get_args(field.annotation)) if _is_model(kind)]
        if isinstance(field.discriminator, str):
            if parts:
                # The kind that was chosen stands in the error's path, and in no variable.
                tag = parts.pop(0)
                model = next(kind for kind in kinds if kind.model_fields[field.discriminator].default == tag)
            elif item["type"] in _OF_THE_KIND:
                variable.append(field.discriminator)
        elif kinds:
            model = kinds[0]
    if model not in (None, settings):
        variable.append("…")  # what several members have to agree on
    return names + parts, f"{settings.model_config.get('env_prefix', '')}{'__'.join(variable)}".upper()


def _is_model(kind: object) -> TypeGuard[type[BaseModel]]:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _all_settings() -> list[type[BaseSettings]]:
    classes = list(BaseSettings.__subclasses__())
    for cls in classes:
        classes.extend(cls.__subclasses__())
    return classes

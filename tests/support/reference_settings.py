"""Writes the reference page of settings: every variable of the environment that the code reads as one."""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import ByteSize, SecretStr
from pydantic_settings import BaseSettings

from tests.support.settings_tables import Setting, merged, settings_classes, settings_of

_HEAD = """# Settings

Generated from the code by `make reference`. All is set by the environment. Members of a group follow two underscores;
a list is written in JSON unless its meaning says otherwise. A setting marked with a word in parentheses counts only
where the group's `KIND` is that word. A secret that is set is never logged or shown. A process refuses to start with a
setting that cannot be, and names it. RuntimeSettings are those of every service; TracingSettings,
of every service and of every command that speaks on the bus.
"""
_ROWS = "| environment variable | type | default | meaning |\n|---|---|---|---|\n"
_PLAIN: dict[Any, str] = {
    str: "text",
    int: "integer",
    float: "number",
    bool: "true or false",
    Path: "path",
    ByteSize: "bytes, e.g. `16GiB`",
    SecretStr: "**secret** text",
}
_LIMITS = ((Ge, "ge", "≥"), (Gt, "gt", "&gt;"), (Le, "le", "≤"), (Lt, "lt", "&lt;"))


def settings_page() -> str:
    """Return the page."""
    classes = sorted(settings_classes(), key=lambda cls: (not cls.__module__.startswith("shared."), cls.__module__))
    sections = ((cls, own_settings(cls)) for cls in classes)
    return _HEAD + "".join(_section(cls, own) for cls, own in sections if own)


def own_settings(cls: type[BaseSettings]) -> list[Setting]:
    """Find what a class adds to its base and to the settings that lie in it."""
    others = {
        setting.variable for other in settings_classes() if _is_part(other, cls) for setting in settings_of(other)
    }
    return [setting for setting in merged(settings_of(cls)) if setting.variable not in others]


def _is_part(other: type[BaseSettings], cls: type[BaseSettings]) -> bool:
    held = (inner for field in cls.model_fields.values() for inner in _within(field.annotation))
    return other is not cls and (issubclass(cls, other) or other in held)


def _within(annotation: Any) -> Iterator[Any]:
    yield annotation
    for inner in get_args(annotation):
        yield from _within(inner)


def _section(cls: type[BaseSettings], own: list[Setting]) -> str:
    first = (cls.__doc__ or "").strip().splitlines()[0]
    users = sorted(user.__name__ for user in settings_classes() if _is_part(cls, user))
    part = f" Part of {', '.join(users)}." if users else ""
    rows = "".join(f"| `{one.variable}` | {_type_of(one)} | {one.default} | {one.told} |\n" for one in own)
    top, service, *_ = cls.__module__.split(".")
    whose = f"{service.replace('_', '-')}: " if top == "services" else ""
    return f"\n## {whose}{cls.__name__}\n\n{first}{part}\n\n{_ROWS}{rows}"


def _type_of(setting: Setting) -> str:
    """Say what a setting holds."""
    if setting.field is None:
        return "one of these"
    return type_text(setting.field.annotation, setting.field.metadata)


def type_text(annotation: Any, limits: Iterable[Any] = ()) -> str:
    """Say what an annotation allows.

    Raises
    ------
    ValueError
        If it allows what this page has no words for.
    """
    origin, inner = get_origin(annotation), get_args(annotation)
    if annotation in _PLAIN:
        ends = [
            f"{sign} {getattr(one, name):g}" for one in limits for kind, name, sign in _LIMITS if isinstance(one, kind)
        ]
        return " ".join([_PLAIN[annotation], *ends])
    if origin is Annotated:
        return type_text(inner[0], limits)
    if origin in (Union, UnionType):
        return " or ".join(type_text(one, limits) for one in inner if one is not NoneType)
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in inner)
    if origin is tuple:
        return f"list of {type_text(inner[0])}"
    if origin is dict:
        return "object (JSON)"
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return ", ".join(f"`{value}`" for value in annotation)
    raise ValueError(f"no words for {annotation}")

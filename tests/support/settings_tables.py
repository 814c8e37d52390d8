"""The settings as documents show them: one row for each variable of the environment."""

import re
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from importlib import import_module
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from alma_restore.trigger_settings import StagecalmsSettings, TriggerSettings

ROOT = Path(__file__).parents[2]
PACKAGES = ("alma_restore", "services", "shared")
OLD_NAMES = ROOT / "docs" / "old-names.md"
HEAD = "| environment variable | default | meaning |\n|---|---|---|\n"
_GROUP = "its members'"
_TABLE = re.compile(re.escape(HEAD) + r"(?:\|.*\n)*")


@dataclass(frozen=True)
class Setting:
    """A variable of the environment.

    Attributes
    ----------
    field
        Its declaration, which tells the type; None for the variable that chooses an alternative.
    kind
        Of which alternative it is a member, e.g. ``smtp``; empty if there are none.
    """

    variable: str
    default: str
    meaning: str
    field: FieldInfo | None = dataclass_field(compare=False)
    kind: str = ""

    @property
    def row(self) -> str:
        """The row of a table."""
        return f"| `{self.variable}` | {self.default} | {self.told} |"

    @property
    def told(self) -> str:
        """Its meaning, as it may stand in a table."""
        meaning = f"({self.kind}) {self.meaning}" if self.kind else self.meaning
        return meaning.replace("|", "&#124;").replace("<", "&lt;")


def settings_classes() -> list[type[BaseSettings]]:
    """Find every class of settings, in whichever module ``settings.py`` or ``…_settings.py``."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*settings.py")):
            import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    found = dict.fromkeys(_descendants(BaseSettings))  # one of two bases is met twice
    return [cls for cls in found if cls.__module__.partition(".")[0] in PACKAGES]


def service_classes(folder: Path) -> list[type[BaseSettings]]:
    """Find the settings of a service's process; those derived from them are a command's."""
    module = import_module(f"services.{folder.name}.settings")
    return [cls for cls in settings_classes() if cls.__module__ == module.__name__ and cls.__bases__ == (BaseSettings,)]


def settings_of(cls: type[BaseSettings]) -> Iterator[Setting]:
    """Go through the variables of a class, those of settings in it under their own names."""
    prefix, delimiter = cls.model_config.get("env_prefix") or "", cls.model_config.get("env_nested_delimiter")
    for name, field in cls.model_fields.items():
        yield from _of_field(f"{prefix}{name.upper()}", field, delimiter)


def table_of(folder: Path) -> str:
    """Make the table of a service."""
    return table_of_classes(service_classes(folder))


def table_of_classes(classes: Iterable[type[BaseSettings]]) -> str:
    """Make the table of some classes of settings."""
    return HEAD + "".join(
        f"{setting.row}\n" for setting in merged(setting for cls in classes for setting in settings_of(cls))
    )


def with_table(readme: str, table: str) -> str:
    """Put a table in the place of the one that a README has."""
    return _TABLE.sub(lambda _: table, readme)


def _of_field(variable: str, field: FieldInfo, delimiter: str | None, kind: str = "") -> Iterator[Setting]:
    models = list(_models(field.annotation))
    if own := [model for model in models if issubclass(model, BaseSettings)]:
        yield from (setting for model in own for setting in settings_of(model))
        return
    if not models or delimiter is None or not field.is_required():
        yield Setting(variable, _default(field), field.description or "", field, kind)
    if delimiter is None:
        return
    if len(models) > 1:
        kinds = [_kind_of(model) for model in models]
        default = "**needed**" if field.is_required() else f"`{field.default.kind}`"
        yield Setting(f"{variable}{delimiter}KIND", default, f"Which one: {', '.join(kinds)}", None)
    for model in models:
        for name, member in model.model_fields.items():
            if name != "kind":
                inner = _kind_of(model) if len(models) > 1 else kind
                yield from _of_field(f"{variable}{delimiter}{name.upper()}", member, delimiter, inner)


def _kind_of(model: type[BaseModel]) -> str:
    return str(model.model_fields["kind"].default)


def merged(settings: Iterable[Setting]) -> list[Setting]:
    """Show a variable once that several alternatives have alike, and none that only holds others."""
    found = [setting for setting in settings if setting.default != _GROUP]
    kinds: dict[Setting, list[str]] = {}
    for setting in found:
        kinds.setdefault(replace(setting, kind=""), []).append(setting.kind)
    every = {kind for names in kinds.values() for kind in names if kind}
    return [
        replace(setting, kind="" if set(names) == every else ", ".join(filter(None, names)))
        for setting, names in kinds.items()
    ]


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Find the models that a field can hold."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _models(get_args(annotation)[0])
    elif origin in (Union, UnionType):
        for member in get_args(annotation):
            yield from _models(member)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**needed**"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, BaseModel):
        return _GROUP
    if value is None or value in ("", (), {}):
        return "none"
    if isinstance(value, Path) and str(value) == sys.executable:
        return "the Python that runs the service"
    if isinstance(value, Path) and str(value) == tempfile.gettempdir():
        return "the system's temporary directory"
    return f"`{_written(value)}`"


def _written(value: Any) -> str:
    """Write a value as it would stand in the environment."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else str(value)
    if isinstance(value, tuple):
        return (
            f"[{', '.join(chr(34) + str(one) + chr(34) if isinstance(one, str) else _written(one) for one in value)}]"
        )
    return str(value)


def _descendants(cls: type[BaseSettings]) -> Iterator[type[BaseSettings]]:
    for child in cls.__subclasses__():
        yield child
        yield from _descendants(child)


def tables() -> dict[Path, str]:
    """Return each service's README and the page of the commands with the old names, with their tables anew."""
    made = {path: table_of(path.parent) for path in sorted((ROOT / "services").glob("*/README.md"))}
    made[OLD_NAMES] = table_of_classes((TriggerSettings, StagecalmsSettings))
    return {path: with_table(path.read_text(), table) for path, table in made.items()}

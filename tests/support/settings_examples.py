"""Examples of settings, as documents and deployments write them, tried by the models that read them."""

import os
import re
import shlex
from collections.abc import Iterator
from functools import cache
from typing import Any
from unittest.mock import patch

import yaml
from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsError

from tests.support.settings_tables import settings_classes, settings_of

LEFT_OUT = "…"  # stands for a value of the reader's own
_ASSIGNED = re.compile(r"(ALMA_RESTORE_[A-Z0-9_]+)=(.*)", re.DOTALL)
_MARKED = re.compile(r"`[^`\n]*`")  # a name in a text for people, such as an alert's
_SUBSTITUTED = re.compile(r"\$\{\w+(?::-(?P<default>[^{}]*)|:?\?[^{}]*)?\}")


def of_shell(text: str) -> Iterator[tuple[str, str]]:
    """Find what lines of a shell assign, or those of a file of ``NAME=value``."""
    for word in shlex.split(text, comments=True):
        if found := _ASSIGNED.fullmatch(word):
            yield found[1], found[2]


def of_yaml(text: str) -> Iterator[tuple[str, str]]:
    """Find what a manifest, a patch within one, or a Compose file gives; what Compose asks for is taken as given."""
    for document in yaml.safe_load_all(text):
        yield from _within(document)


def wrong(examples: dict[str, str]) -> list[str]:
    """Say what the models that read some settings find wrong with them; what else these would need is not asked."""
    given = {name: value for name, value in examples.items() if value != LEFT_OUT}
    unknown = examples.keys() - {name for kinds in _variables().values() for name in kinds}
    found = {
        error
        for cls, kinds in _variables().items()
        if given.keys() & kinds.keys()
        for error in _errors(cls, given | _kinds_meant(given, kinds))
    }
    return sorted(found) + [f"{name}: no setting" for name in sorted(unknown)]


def alternatives(examples: list[tuple[str, str]]) -> Iterator[dict[str, str]]:
    """Take apart what one text says of a variable more than once."""
    chosen: dict[str, str] = {}
    for name, value in examples:
        if chosen.get(name, value) != value:
            yield dict(chosen)
        chosen[name] = value
    if chosen:
        yield chosen


@cache
def _variables() -> dict[type[BaseSettings], dict[str, list[str]]]:
    """Return the variables that each class reads, each with the alternatives whose member it is."""
    found: dict[type[BaseSettings], dict[str, list[str]]] = {}
    for cls in settings_classes():
        kinds = found.setdefault(cls, {})
        for setting in settings_of(cls):
            kinds.setdefault(setting.variable, []).append(setting.kind)
    return found


def _within(part: Any) -> Iterator[tuple[str, str]]:
    if isinstance(part, list):
        for item in part:
            yield from _within(item)
    elif isinstance(part, dict):
        if str(part.get("name", "")).startswith("ALMA_RESTORE_") and "value" in part:
            yield part["name"], str(part["value"])
        for name, value in part.items():
            if str(name).startswith("ALMA_RESTORE_"):
                yield name, _substituted(str(value))
            else:
                yield from _within(value)
    elif isinstance(part, str) and "\n" in part and "ALMA_RESTORE_" in _MARKED.sub("", part):
        yield from of_yaml(part)


def _substituted(value: str) -> str:
    """Put in the defaults of Compose's variables, and for one without a text that is long enough for a secret."""
    while _SUBSTITUTED.search(value):
        value = _SUBSTITUTED.sub(lambda found: "x" * 32 if found["default"] is None else found["default"], value)
    return value


def _kinds_meant(given: dict[str, str], kinds: dict[str, list[str]]) -> dict[str, str]:
    """Choose the alternative that has all members that are given of it, where the text does not."""
    meant = {}
    for chooser in (name for name in kinds if name.endswith("__KIND") and name not in given):
        group = chooser.removesuffix("KIND")
        having = [set(kinds[name]) for name in given if name.startswith(group) and name in kinds]
        if common := set.intersection(*having) if having else set():
            meant[chooser] = sorted(common)[0]
    return meant


def _errors(cls: type[BaseSettings], environment: dict[str, str]) -> Iterator[str]:
    with patch.dict(os.environ, environment, clear=True):
        try:
            cls()
        except ValidationError as error:
            for item in error.errors(include_url=False):
                if item["type"] != "missing" and item["loc"]:
                    member = "__".join(map(str, item["loc"])).upper()
                    yield f"{cls.model_config.get('env_prefix')}{member}: {item['msg']}"
        except SettingsError as error:
            yield f"{cls.__name__}: {error}"

"""Code blocks of documents, and what is wrong with one by its language; nothing of it is run."""

import ast
import configparser
import inspect
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from textwrap import dedent
from typing import Any

import yaml

from tests.support.settings_tables import ROOT

_FENCE = re.compile(
    r"^(?P<indent> *)(?P<fence>```+|~~~+)(?P<language>.*)\n(?P<text>(?:.*\n)*?)(?P=indent)(?P=fence) *$", re.M
)
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *(path for part in ("docs", "services") for path in (ROOT / part).rglob("*.md"))]
)
_OWN = {path.name for path in ROOT.iterdir() if (path / "__init__.py").is_file()}
_HADOLINT = Path(sys.executable).with_name("hadolint")

# What parsers raise, and names and arguments of ours that are not there.
WRONG = (ValueError, SyntaxError, yaml.YAMLError, configparser.Error, ImportError, AttributeError, TypeError)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language as declared, its text, and the line of the document that opens it."""

    language: str
    text: str
    line: int


def blocks_of(text: str) -> Iterator[Block]:
    """Go through the fenced blocks of a document's text."""
    for found in _FENCE.finditer(text):
        yield Block(found["language"].strip(), dedent(found["text"]), text.count("\n", 0, found.start()) + 1)


def without_blocks(text: str) -> str:
    """Leave out the fenced blocks of a document's text."""
    return _FENCE.sub("", text)


def wrong_with(block: Block) -> str | None:
    """Say what is wrong with a block; None if nothing is, or nothing can be said of its language."""
    if block.language not in CHECKS:
        return f"{block.language or 'no language'}: say which it is, one of {', '.join(sorted(CHECKS))}"
    try:
        CHECKS[block.language](block.text)
    except WRONG as error:
        return str(error)
    return None


def _python(text: str) -> None:
    """Compile it, look up what it imports of ours, and whether what it calls of that takes these arguments."""
    tree = ast.parse(text)
    names: dict[str, Any] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in _OWN:
            for alias in node.names:
                names[alias.asname or alias.name] = _imported(str(node.module), alias.name)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.partition(".")[0] in _OWN:
                    import_module(alias.name)
    made = dict(_made(tree, names))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (called := _called(node.func, names, made)) is not None:
            signature = inspect.signature(called)
            signature.bind(*node.args, **{str(keyword.arg): keyword.value for keyword in node.keywords})


def _imported(module: str, name: str) -> Any:
    found = import_module(module)
    return getattr(found, name) if hasattr(found, name) else import_module(f"{module}.{name}")


def _made(tree: ast.AST, names: dict[str, Any]) -> Iterator[tuple[str, type]]:
    """Find the variables that hold objects of our classes."""
    for node in ast.walk(tree):
        pairs: list[tuple[ast.expr | None, ast.expr]] = []
        if isinstance(node, ast.With):
            pairs = [(item.optional_vars, item.context_expr) for item in node.items]
        elif isinstance(node, ast.Assign):
            pairs = [(target, node.value) for target in node.targets]
        for target, value in pairs:
            called = value.func if isinstance(value, ast.Call) else None
            cls = names.get(called.id) if isinstance(called, ast.Name) else None
            if isinstance(target, ast.Name) and isinstance(cls, type):
                yield target.id, cls


def _called(function: ast.expr, names: dict[str, Any], made: dict[str, type]) -> Any:
    """Find what is called, if it is ours."""
    if isinstance(function, ast.Name):
        return names.get(function.id)
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        if (cls := made.get(function.value.id)) is not None:
            return getattr(object.__new__(cls), function.attr)
        if (holder := names.get(function.value.id)) is not None:
            return getattr(holder, function.attr)
    return None


def _shell(text: str) -> None:
    _no_complaint(["bash", "-n"], text)


def _dockerfile(text: str) -> None:
    _no_complaint([str(_HADOLINT), "--config", str(ROOT / ".hadolint.yaml"), "--no-color", "-"], text)


def _no_complaint(command: list[str], text: str) -> None:
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(done.stdout + done.stderr)


def _yaml(text: str) -> None:
    list(yaml.safe_load_all(text))


def _free(_: str) -> None:
    """Nothing can be said of a text, a screen or a drawing."""


CHECKS: dict[str, Callable[[str], object]] = {
    "python": _python,
    "sh": _shell,
    "dockerfile": _dockerfile,
    "yaml": _yaml,
    "toml": tomllib.loads,
    "json": json.loads,
    "ini": lambda text: configparser.ConfigParser().read_string(text),
    "text": _free,
    "console": _free,
    "mermaid": _free,
}

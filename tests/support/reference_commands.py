"""Writes the reference page of the command ``alma-restore`` from its own help."""

import inspect
import re
from collections.abc import Iterator

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from alma_restore.cli import app

_HEAD = """# Commands

Generated from the command's own help by `make reference`. Each takes `--help`, too. What is read from the environment
is in the [reference of settings](settings.md).
"""
_PARAMETERS = "\n| argument or option | meaning |\n|---|---|\n"


def commands_page(application: typer.Typer = app) -> str:
    """Return the page."""
    command = get_command(application)
    assert isinstance(command, TyperGroup)
    return _HEAD + "\n" + _text(command) + "".join(_sections(command, typer.Context(command, info_name=command.name)))


def _sections(group: TyperGroup, above: typer.Context) -> Iterator[str]:
    for name, command in sorted(group.commands.items()):
        if command.hidden or not isinstance(command, TyperCommand | TyperGroup):
            continue
        context = typer.Context(command, info_name=name, parent=above)
        yield f"\n## {context.command_path.strip()}\n\n{_text(command)}"
        yield _usage(command, context) + _table(command, context)
        if isinstance(command, TyperGroup):
            yield from _sections(command, context)


def _usage(command: TyperCommand | TyperGroup, context: typer.Context) -> str:
    return f"\n```text\n{' '.join(command.get_usage(context).removeprefix('Usage: ').split())}\n```\n"


def _table(command: TyperCommand | TyperGroup, context: typer.Context) -> str:
    records = [found for one in command.params if (found := one.get_help_record(context)) is not None]
    rows = "".join(f"| `{_cell(name)}` | {_cell(' '.join(meaning.split()))} |\n" for name, meaning in records)
    return _PARAMETERS + rows if rows else ""


def _text(command: TyperCommand | TyperGroup) -> str:
    """Write a help text with its paragraphs; what typer joins stays joined."""
    text = inspect.cleandoc(command.help or "").replace("``", "`").replace("\f", "").replace("\b", "")
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")

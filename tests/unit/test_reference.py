"""The pages of docs/reference are what the code says, and leave nothing out."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from alma_restore.cli import app
from contracts.messages import known_types
from contracts.reasons import ReasonCode
from tests.support.reference import FOLDER, documents
from tests.support.reference_commands import commands_page
from tests.support.reference_messages import type_text as type_in_schema
from tests.support.reference_settings import type_text
from tests.support.settings_tables import merged, settings_classes, settings_of

PAGES = {path: text for path, text in documents().items() if path.parent == FOLDER}


def rows_of(page: str) -> list[list[str]]:
    """Return the cells of all rows of a page's tables."""
    rows = [line for line in PAGES[FOLDER / page].splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]


def headings_of(page: str, begin: str) -> list[str]:
    return re.findall(rf"^##+ ({begin}.*)$", PAGES[FOLDER / page], re.MULTILINE)


def commands_below(group: TyperGroup, path: str) -> Iterator[tuple[str, TyperCommand | TyperGroup]]:
    for name, command in group.commands.items():
        assert isinstance(command, TyperCommand | TyperGroup)
        if not command.hidden:
            yield f"{path} {name}", command
        if isinstance(command, TyperGroup):
            yield from commands_below(command, f"{path} {name}")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_page_is_current(path: Path) -> None:
    assert path.read_text() == PAGES[path], "write it anew with `make reference`"


def test_no_page_is_written_by_hand() -> None:
    assert set(FOLDER.iterdir()) == set(PAGES)


def test_every_setting_is_shown_with_type_and_meaning_and_under_one_heading() -> None:
    sections = re.split(r"^## ", PAGES[FOLDER / "settings.md"], flags=re.MULTILINE)
    shown = [name for section in sections for name in set(re.findall(r"^\| `(\w+)`", section, re.MULTILINE))]
    assert len(shown) == len(set(shown))
    assert set(shown) == {setting.variable for cls in settings_classes() for setting in merged(settings_of(cls))}
    assert [row for row in rows_of("settings.md") if "" in row] == []


def test_a_secret_is_shown_as_one_and_no_value_of_ours_with_it() -> None:
    defaults = {row[0].strip("`"): row[2] for row in rows_of("settings.md") if "**secret**" in row[1]}
    known_to_all = {"ALMA_RESTORE_BUS__URL": "`amqp://guest:guest@localhost:5672/%2F`"}
    assert "ALMA_RESTORE_STORE__SECRET_KEY" in defaults
    assert {name: value for name, value in defaults.items() if value not in ("none", "**needed**")} == known_to_all


def test_every_message_is_shown_and_every_member_has_a_meaning() -> None:
    assert set(headings_of("messages.md", "org")) == set(known_types())
    members = [row for row in rows_of("messages.md") if len(row) == 4]
    assert members
    assert [row for row in members if "" in row] == []


def test_every_reason_is_shown() -> None:
    assert headings_of("reasons.md", "`") == [f"`{code}`" for code in ReasonCode]


def test_every_command_and_what_it_takes_is_shown_with_its_help() -> None:
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    commands = dict(commands_below(group, "alma-restore"))
    assert set(headings_of("commands.md", "alma-restore ")) == set(commands)
    assert [path for path, command in commands.items() if not command.help] == []
    assert [row for row in rows_of("commands.md") if "" in row] == []


def test_what_a_command_says_of_itself_is_on_the_page() -> None:
    small = typer.Typer(name="small", help="A small one.")

    @small.command()
    def go(where: str = typer.Argument(help="Where | to"), fast: int = typer.Option(3, help="How fast")) -> None:
        """Go there."""

    @small.command(hidden=True)
    def secretly() -> None:
        """Nobody sees this."""

    page = commands_page(small)
    assert "Go there." in page
    assert "| Where \\| to [required] |" in page
    assert "How fast [default: 3]" in page
    assert "secretly" not in page


def test_a_type_without_words_is_refused() -> None:
    with pytest.raises(ValueError, match="no words"):
        type_text(complex)
    with pytest.raises(ValueError, match="no words"):
        type_in_schema({"type": "null"})


def test_types_are_told_with_their_limits() -> None:
    assert type_text(Literal["a", "b"] | None) == "`a`, `b`"
    assert type_in_schema({"type": "integer", "minimum": 1, "maximum": 9}) == "integer ≥ 1 ≤ 9"
    assert type_in_schema({"type": "array", "maxItems": 2, "items": {"type": "string"}}) == "list (≤ 2 items) of text"

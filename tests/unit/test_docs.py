"""What documents name is there: files, variables, commands; and every setting is documented."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from alma_restore.cli import app
from alma_restore.registry import BUILDERS
from alma_restore.trigger_settings import StagecalmsSettings, TriggerSettings
from contracts.flow import QUEUES
from tests.support.code_blocks import DOCUMENTS, blocks_of, without_blocks
from tests.support.settings_tables import (
    OLD_NAMES,
    ROOT,
    settings_classes,
    settings_of,
    table_of,
    table_of_classes,
    with_table,
)

SERVICES = sorted(path.parent for path in (ROOT / "services").glob("*/settings.py"))
READMES = [service / "README.md" for service in SERVICES]
VARIABLES = {setting.variable for cls in settings_classes() for setting in settings_of(cls)}
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
REWRITE = "write the tables anew with `make reference`"

_INLINE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\((?!\w+:)([^)#\s]+)(?:#[^)\s]*)?\)")
_COMMAND = re.compile(r"(?:^|[\s/])alma-restore (?P<rest>[A-Za-z][^\n|#]*)")

documents = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
services = pytest.mark.parametrize("service", SERVICES, ids=lambda path: path.name)


def code_of(document: Path) -> Iterator[str]:
    """Go through the lines of code blocks, and the code within the text."""
    text = document.read_text()
    for block in blocks_of(text):
        yield from block.text.splitlines()
    yield from _INLINE.findall(without_blocks(text))


@documents
def test_every_link_leads_to_a_file(document: Path) -> None:
    links = _LINK.findall(without_blocks(document.read_text()))
    assert [link for link in links if not (document.parent / link).exists()] == []


@documents
def test_every_path_of_a_source_or_document_that_is_named_exists(document: Path) -> None:
    found = {
        word for code in code_of(document) for word in re.findall(r"(?<![\w./…<-])[\w./-]+\.(?:py|toml|md)\b", code)
    }
    named = {word for word in found if "/" in word} if document not in READMES else found
    places = (ROOT, document.parent)
    assert [word for word in sorted(named) if not any((place / word).is_file() for place in places)] == []


@documents
def test_every_variable_that_is_named_is_a_setting(document: Path) -> None:
    text = document.read_text()
    for name in re.findall(r"ALMA_RESTORE_[A-Z0-9_]+", text):
        begins = name.endswith("_") and any(variable.startswith(name) for variable in VARIABLES)
        assert name in VARIABLES or begins, f"{name} is no setting"
    for end in re.findall(r"…(_[A-Z0-9_]+)", text):
        assert any(variable.endswith(end) for variable in VARIABLES), f"no setting ends with {end}"


@documents
def test_every_make_target_that_is_named_exists(document: Path) -> None:
    named = {found[1] for code in code_of(document) if (found := re.match(r"\$?\s*make ([a-z][a-z-]*+)(?!…)", code))}
    assert named <= TARGETS


@documents
def test_every_command_and_option_that_is_named_exists(document: Path) -> None:
    for code in code_of(document):
        for found in _COMMAND.finditer(code):
            check_command(found["rest"].split())


def check_command(words: list[str]) -> None:
    """Look a command line up; what is no word of lower case after a group's name is its argument."""
    command = get_command(app)
    for word in list(words):
        if not isinstance(command, TyperGroup) or word not in command.commands:
            break
        command = command.commands[word]
        words.pop(0)
    assert command.name != "alma-restore", f"there is no command {' '.join(words)}"
    if isinstance(command, TyperGroup) and words and re.fullmatch(r"[a-z][a-z-]*", words[0]):
        raise AssertionError(f"{command.name} has no command {words[0]}")
    if isinstance(command, TyperGroup) and (default := command.commands.get("make")) is not None:
        command = default
    options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    named = {found[0] for word in words if (found := re.match(r"--[a-z-]+", word.strip("[]()…")))}
    assert named <= options | {"--help"}, f"{command.name} has no {named - options}"


def test_the_readme_shows_every_command_and_no_other() -> None:
    section = (ROOT / "README.md").read_text().partition("## The command\n")[2].partition("\n## ")[0]
    shown = [words.split() for line in section.splitlines()[3:] for words in _INLINE.findall(line.split("|")[1])]
    for words in shown:
        check_command(list(words))
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    assert {words[0] for words in shown} == {name for name, command in group.commands.items() if not command.hidden}


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (test_every_link_leads_to_a_file, "see [this](nowhere.md#part)"),
        (test_every_path_of_a_source_or_document_that_is_named_exists, "`services/nothing.py`"),
        (test_every_variable_that_is_named_is_a_setting, "ALMA_RESTORE_STORE__NOTHING"),
        (test_every_variable_that_is_named_is_a_setting, "`…_NOTHING`"),
        (test_every_make_target_that_is_named_exists, "```sh\nmake nothing\n```\n"),
        (test_every_command_and_option_that_is_named_exists, "`alma-restore nothing`"),
        (test_every_command_and_option_that_is_named_exists, "1. x\n\n    ```sh\n    alma-restore nothing\n    ```\n"),
        (
            test_every_command_and_option_that_is_named_exists,
            "```sh\n.venv/bin/alma-restore ppr check A --nothing\n```\n",
        ),
    ],
)
def test_what_is_not_there_is_noticed(check: Callable[[Path], None], text: str, tmp_path: Path) -> None:
    document = tmp_path / "document.md"
    document.write_text(text)
    with pytest.raises(AssertionError):
        check(document)


def test_a_command_that_is_not_there_is_noticed() -> None:
    with pytest.raises(AssertionError, match="no command forget"):
        check_command(["forget"])
    with pytest.raises(AssertionError, match="has no command bury"):
        check_command(["dead-letters", "bury"])
    with pytest.raises(AssertionError, match="--quietly"):
        check_command(["submit", "CODE", "--quietly"])


def test_every_service_has_its_readme() -> None:
    assert [path for path in READMES if not path.is_file()] == []
    assert {path.name.replace("_", "-") for path in SERVICES} == set(BUILDERS)


@services
def test_every_setting_of_a_service_is_in_its_readme_with_default_and_meaning(service: Path) -> None:
    readme, table = (service / "README.md").read_text(), table_of(service)
    assert [row for row in table.splitlines() if row not in readme] == [], REWRITE
    assert with_table(readme, table) == readme, REWRITE
    assert not [row for row in table.splitlines() if row.endswith("|  |")], "a setting without a description"


def test_every_setting_of_the_commands_with_old_names_is_on_their_page() -> None:
    page = OLD_NAMES.read_text()
    assert with_table(page, table_of_classes((TriggerSettings, StagecalmsSettings))) == page, REWRITE


def test_the_page_on_running_says_what_each_service_listens_to() -> None:
    page = (ROOT / "docs" / "running.md").read_text()
    rows = dict(re.findall(r"^\| ([a-z-]+) \| ([^|]+) \|", page, re.MULTILINE))
    assert [topic for name, topics in QUEUES.items() for topic in topics if f"`{topic}`" not in rows[name]] == []


@services
def test_every_topic_that_a_service_takes_is_in_its_readme(service: Path) -> None:
    readme = (service / "README.md").read_text()
    assert [topic for topic in QUEUES[service.name.replace("_", "-")] if f"`{topic}`" not in readme] == []


@services
def test_the_readme_of_a_service_names_every_reason_that_it_gives(service: Path) -> None:
    given = {
        found.lower()
        for path in service.rglob("*.py")
        for found in re.findall(r"ReasonCode\.([A-Z_0-9]+)", path.read_text())
    }
    readme = (service / "README.md").read_text()
    assert [reason for reason in sorted(given) if f"`{reason}`" not in readme] == []


def test_every_term_of_the_glossary_stands_once_and_in_order() -> None:
    terms = re.findall(r"^\*\*(.+?)\*\*:", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE)
    assert terms == sorted(set(terms), key=str.casefold)

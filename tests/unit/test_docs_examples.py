"""What documents and deployments show by example is right: code blocks by their language, settings by their models."""

import re
from pathlib import Path

import pytest

from shared.casa_catalogue.catalogue import read_releases
from tests.support.code_blocks import DOCUMENTS, Block, blocks_of, wrong_with
from tests.support.settings_examples import alternatives, of_shell, of_yaml, wrong
from tests.support.settings_tables import ROOT, settings_classes, settings_of

MANIFESTS = sorted([ROOT / "docker-compose.yml", *(ROOT / "compose").glob("*.yml"), *(ROOT / "k8s").rglob("*.yaml")])
LISTS = sorted((ROOT / "k8s").rglob("*.env"))

CODE = ("alma_restore", "services", "shared", "observatory", "dashboards", "k8s", "compose", "Dockerfile", "Makefile")

_NAMED = re.compile(r"ALMA_RESTORE_[A-Z0-9_]+")
_INLINE = re.compile(r"`(ALMA_RESTORE_[A-Z0-9_]+=[^`\n]+)`")

documents = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


@documents
def test_every_code_block_is_right_in_its_language(document: Path) -> None:
    assert {
        block.line: wrong for block in blocks_of(document.read_text()) if (wrong := wrong_with(block)) is not None
    } == {}


@documents
def test_every_setting_that_a_document_gives_is_one_and_takes_the_value(document: Path) -> None:
    assert settings_wrong_in(document) == []


@pytest.mark.parametrize("file", [*MANIFESTS, *LISTS], ids=lambda path: str(path.relative_to(ROOT)))
def test_every_setting_that_a_deployment_gives_is_one_and_takes_the_value(file: Path) -> None:
    read = of_yaml if file in MANIFESTS else of_shell
    assert [said for given in alternatives(list(read(file.read_text()))) for said in wrong(given)] == []


def test_the_images_give_settings_that_take_their_values() -> None:
    given = dict(
        of_shell(" ".join(re.findall(r"^ENV (ALMA_RESTORE_.*)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)))
    )
    assert given
    assert wrong(given) == []


def test_every_variable_that_code_names_is_a_setting() -> None:
    variables = {setting.variable for cls in settings_classes() for setting in settings_of(cls)}
    programs = (path for part in CODE for path in [ROOT / part, *(ROOT / part).rglob("*")] if path.is_file())
    named = {name for path in programs if path.suffix != ".pyc" for name in _NAMED.findall(path.read_text())}
    assert "ALMA_RESTORE_NGAS_FETCHER_EXPORT_TIME_LIMIT" in named
    begun = {name for name in named if name.endswith("_") and any(one.startswith(name) for one in variables)}
    assert sorted(named - variables - begun) == []


def test_deployments_give_settings() -> None:
    """What finds none of them would find none wrong."""
    given = {name for file in MANIFESTS for name, _ in of_yaml(file.read_text())}
    assert {
        "ALMA_RESTORE_STORE__ENDPOINT",  # a table of docker-compose.yml
        "ALMA_RESTORE_END_AFTER_EVENTS",  # a container's list
        "ALMA_RESTORE_CASA_RUNNER_LAUNCHER__KIND",  # a patch
    } <= given
    assert sum(1 for file in LISTS for _ in of_shell(file.read_text())) > 20


def test_the_row_of_the_version_table_is_one() -> None:
    blocks = [
        block for block in blocks_of((ROOT / "docs" / "archive-database.md").read_text()) if block.language == "toml"
    ]
    assert [len(read_releases(block.text, where="the page")) for block in blocks] == [1]


def test_the_image_for_casa_takes_the_versions_that_are_tested() -> None:
    (block,) = (
        block for block in blocks_of((ROOT / "docs" / "launchers.md").read_text()) if block.language == "dockerfile"
    )
    named = set(re.findall(r"\S+==\S+", block.text))
    assert named
    assert named <= set((ROOT / "constraints.txt").read_text().splitlines())


def settings_wrong_in(document: Path) -> list[str]:
    said: list[str] = []
    for text in settings_texts(document):
        read = of_yaml if text.language == "yaml" else of_shell
        said += [one for given in alternatives(list(read(text.text))) for one in wrong(given)]
    return said


def settings_texts(document: Path) -> list[Block]:
    """Find what may give settings: blocks for a shell, of YAML, and code within the text."""
    text = document.read_text()
    blocks = [block for block in blocks_of(text) if block.language in ("sh", "yaml")]
    return [*blocks, *(Block("sh", code, 0) for code in _INLINE.findall(text))]


@pytest.mark.parametrize(
    ("language", "text", "says"),
    [
        ("", "words", "no language"),
        ("bash", "true", "bash: say which it is"),
        ("sh", "if true", "syntax error"),
        ("dockerfile", "FROM debian:latest", "DL3007"),
        ("yaml", "a: [", "expected"),
        ("toml", "a = ", "Invalid value"),
        ("json", "{", "Expecting property name"),
        ("ini", "a = 1", "no section headers"),
        ("python", "a = ", "invalid syntax"),
        ("python", "from shared.nothing import at_all", "shared.nothing"),
        ("python", "from alma_restore import Dusk", "alma_restore.Dusk"),
        ("python", "import contracts.nothing", "contracts.nothing"),
        ("python", "from alma_restore import Desk\nDesk('https://desk', tokens=1)", "tokens"),
        ("python", "from alma_restore import Desk\nwith Desk('https://desk') as d:\n    d.wach(1)", "wach"),
        ("python", "from alma_restore import Desk\nd = Desk('https://desk')\nd.watch()", "missing a required argument"),
    ],
)
def test_a_wrong_block_is_noticed(language: str, text: str, says: str) -> None:
    shown = "".join(f"    {line}\n" for line in text.splitlines())
    (block,) = blocks_of(f"1. one\n\n    ```{language}\n{shown}    ```\n")
    assert says in str(wrong_with(block))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("`ALMA_RESTORE_HTTP_PORT=http`", "ALMA_RESTORE_HTTP_PORT: Input should be a valid integer"),
        ("```sh\nexport ALMA_RESTORE_NOTHING=1\n```\n", "ALMA_RESTORE_NOTHING: no setting"),
        ("```yaml\nenv:\n  - {name: ALMA_RESTORE_HTTP_PORT, value: '70000'}\n```\n", "less than or equal to 65535"),
        ("```yaml\npatch: |\n  ALMA_RESTORE_STORE__KIND: ftp\n  a: b\n```\n", "Input tag 'ftp'"),
        ("```sh\nALMA_RESTORE_CASA_RUNNER_LAUNCHER__USER=root   # without its kind\n```\n", "should match pattern"),
        ("```sh\nALMA_RESTORE_RETRY_DELAYS=1,2\n```\n", "error parsing value"),
        ("```sh\nALMA_RESTORE_HTTP_PORT=a\nALMA_RESTORE_HTTP_PORT=80\n```\n", "valid integer"),
    ],
)
def test_a_wrong_setting_is_noticed(text: str, says: str, tmp_path: Path) -> None:
    document = tmp_path / "document.md"
    document.write_text(text)
    assert says in "\n".join(settings_wrong_in(document))


def test_what_compose_puts_in_is_tried_by_its_default() -> None:
    text = "a: {ALMA_RESTORE_STORE__ENDPOINT: '${A:-http://${B:-objects}:1}', ALMA_RESTORE_STORE__SECRET_KEY: '${C:?}'}"
    assert list(of_yaml(text)) == [
        ("ALMA_RESTORE_STORE__ENDPOINT", "http://objects:1"),
        ("ALMA_RESTORE_STORE__SECRET_KEY", "x" * 32),
    ]

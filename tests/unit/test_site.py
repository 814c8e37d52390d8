"""The documents as a site: every page stands in it, every link leads somewhere, and nothing comes from elsewhere."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.settings_tables import ROOT

_LOADED = re.compile(
    r"<(?:script|img|iframe|source)\b[^>]*\bsrc=[\"']?([^\"'\s>]+)|<link\b[^>]*\bhref=[\"']?([^\"'\s>]+)"
)


def build(config: Path, site: Path) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "properdocs",
        "build",
        "--strict",
        "--config-file",
        str(config),
        "--site-dir",
        str(site),
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    built = build(ROOT / "properdocs.yml", folder)
    assert built.returncode == 0, built.stderr
    return folder


def test_every_document_is_a_page(site: Path) -> None:
    documents = [path.relative_to(ROOT / "docs").with_suffix("") for path in (ROOT / "docs").rglob("*.md")]
    assert [
        str(path) for path in documents if path.name != "index" and not (site / path / "index.html").is_file()
    ] == []


def test_a_link_to_a_file_outside_the_documents_leads_to_it_in_the_site(site: Path) -> None:
    assert 'href="../repository/docker-compose.yml"' in (site / "deploying" / "index.html").read_text()
    assert (site / "repository" / "docker-compose.yml").read_bytes() == (ROOT / "docker-compose.yml").read_bytes()
    assert 'href="../repository/services/notifier/"' in (site / "running" / "index.html").read_text()


def test_a_document_outside_leads_back_to_the_pages(site: Path) -> None:
    page = (site / "repository" / "services" / "request_desk" / "index.html").read_text()
    assert 'href="../../../request-desk/"' in page


def test_a_link_to_a_folder_becomes_its_words(site: Path) -> None:
    page = (site / "repository" / "index.html").read_text()
    assert 'href="contracts"' not in page
    assert "<code>contracts/</code>" in page


def test_a_bar_in_the_code_of_a_table_is_shown_as_it_is_to_be_typed(site: Path) -> None:
    page = (site / "reference" / "messages" / "index.html").read_text()
    assert "<code>^uid(://A[0-9a-fA-F]{3}/X[0-9a-fA-F]+/|___A[0-9a-fA-F]{3}_X[0-9a-fA-F]+_)" in page
    assert "UIDs separated by <code>|</code>" in (site / "ppr" / "index.html").read_text()


def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    loaded = {first or second for page in site.rglob("*.html") for first, second in _LOADED.findall(page.read_text())}
    assert any(address.endswith(".js") for address in loaded)
    assert [address for address in sorted(loaded) if re.match(r"\w+:|//", address)] == []
    assert [
        sheet.name for sheet in site.rglob("*.css") if re.search(r"url\([\"']?(?:https?:)?//", sheet.read_text())
    ] == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[a page](nowhere.md)", "nowhere.md"),
        ("[a part](#nowhere)", "#nowhere"),
        ("[a file](../nowhere.yml)", "nowhere.yml"),
    ],
)
def test_a_link_that_leads_nowhere_fails_the_build(tmp_path: Path, text: str, says: str) -> None:
    built = build(small(tmp_path, text, "nav: [index.md]"), tmp_path / "site")
    assert built.returncode == 1
    assert says in built.stderr


def test_a_page_that_the_navigation_leaves_out_fails_the_build(tmp_path: Path) -> None:
    config = small(tmp_path, "words", "nav: [index.md]")
    (tmp_path / "docs" / "left-out.md").write_text("# Left out\n")
    built = build(config, tmp_path / "site")
    assert built.returncode == 1
    assert "left-out.md" in built.stderr


def test_nothing_of_how_the_site_is_made_is_in_it(tmp_path: Path) -> None:
    config = small(tmp_path, "words", "nav: [index.md]")
    (tmp_path / "docs" / "__pycache__").mkdir()
    (tmp_path / "docs" / "__pycache__" / "site_links.pyc").write_bytes(b"compiled")
    assert build(config, tmp_path / "site").returncode == 0
    assert list((tmp_path / "site").rglob("*.py*")) == []


def small(folder: Path, text: str, nav: str) -> Path:
    """Make a site of one page by the settings of the real one; gives back its configuration."""
    (folder / "docs").mkdir()
    (folder / "docs" / "index.md").write_text(f"# Title\n\n{text}\n")
    shutil.copy(ROOT / "docs" / "site_links.py", folder / "docs")
    settings = (ROOT / "properdocs.yml").read_text().partition("# A folder stands for all pages in it.")[0]
    config = folder / "properdocs.yml"
    config.write_text(settings + nav)
    return config

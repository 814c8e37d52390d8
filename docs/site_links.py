"""Make one set of links serve twice: in the repository's own view, and in the site that ProperDocs builds of docs/.

A page may link to any file of the repository, as it stands there. What lies outside docs/ becomes part of the site,
below ``repository/``; a link to a folder becomes its words, since the site lists none. A bar in the code of a table's
cell is escaped for the repository's view; the site would show the escape.
"""

import os.path
import re
from collections.abc import Iterator
from pathlib import Path

from properdocs.config.defaults import ProperDocsConfig
from properdocs.structure.files import File, Files, InclusionLevel
from properdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent
OUTSIDE = "repository"

_FENCE = re.compile(r"(^ *```.*?^ *```)", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]+`")
_LINK = re.compile(r"\[(?P<words>[^\]]*)\]\((?!\w+:|#)(?P<target>[^)#\s]+)(?P<part>#[^)\s]*)?\)")


def on_config(config: ProperDocsConfig) -> ProperDocsConfig:
    """Put the pages of a folder where the navigation names the folder."""
    config.nav = [_expanded(entry, Path(config.docs_dir)) for entry in config.nav or []]
    return config


def on_files(files: Files, config: ProperDocsConfig) -> Files:
    """Take in what pages, and the navigation, name outside docs/, and what that names in turn."""
    docs = Path(config.docs_dir)
    waiting = [Path(str(file.abs_src_path)) for file in files if file.src_uri.endswith(".md")]
    named = [ROOT / uri.removeprefix(f"{OUTSIDE}/") for uri in _uris(config.nav) if uri.startswith(f"{OUTSIDE}/")]
    taken = set(waiting)
    while waiting or named:
        for target in [*named, *(_targets(waiting.pop()) if waiting else ())]:
            if target in taken or not target.is_file() or target.is_relative_to(docs):
                continue
            taken.add(target)
            uri = f"{OUTSIDE}/{target.relative_to(ROOT).as_posix()}"
            files.append(File.generated(config, uri, abs_src_path=str(target), inclusion=InclusionLevel.NOT_IN_NAV))
            if target.suffix == ".md":
                waiting.append(target)
        named = []
    return files


def on_page_markdown(markdown: str, page: Page, config: ProperDocsConfig, files: Files) -> str:  # noqa: ARG001  # ProperDocs passes it by name
    """Turn the links of a page to where the site has their targets, and write bars in code as they are."""
    source, docs = Path(str(page.file.abs_src_path)), Path(config.docs_dir)

    def turned(found: re.Match[str]) -> str:
        target = _resolved(source, found["target"])
        if target.is_dir():
            return found["words"]
        inside = target.is_relative_to(docs)
        uri = str(target.relative_to(docs)) if inside else f"{OUTSIDE}/{os.path.relpath(target, ROOT)}"
        return f"[{found['words']}]({os.path.relpath(uri, Path(page.file.src_uri).parent)}{found['part'] or ''})"

    def made(prose: str) -> str:
        return _CODE.sub(lambda found: found[0].replace("\\|", "|"), _LINK.sub(turned, prose))

    pieces = _FENCE.split(markdown)
    return "".join(piece if piece.lstrip(" ").startswith("```") else made(piece) for piece in pieces)


def _expanded(entry: object, docs: Path) -> object:
    if isinstance(entry, str) and entry.endswith("/"):
        raise TypeError(f"properdocs.yml: give the folder {entry} in nav a title")
    if not isinstance(entry, dict):
        return entry
    ((title, value),) = entry.items()
    if isinstance(value, str) and value.endswith("/"):
        return {title: sorted(path.relative_to(docs).as_posix() for path in (docs / value).glob("*.md"))}
    if isinstance(value, list):
        return {title: [_expanded(item, docs) for item in value]}
    return entry


def _uris(nav: object) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    for item in nav.values() if isinstance(nav, dict) else nav if isinstance(nav, list) else ():
        yield from _uris(item)


def _targets(document: Path) -> Iterator[Path]:
    for found in _LINK.finditer(_FENCE.sub("", document.read_text())):
        yield _resolved(document, found["target"])


def _resolved(document: Path, target: str) -> Path:
    return Path(os.path.normpath(document.parent / target))

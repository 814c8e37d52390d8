"""Texts from templates: plain text, wrapped for reading, and the same text as HTML."""

import re
import textwrap
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from shared.request_text import one_line
from shared.sizes import size_text

_WIDTH = 78
_LINK = re.compile(r"https?://[^\s<>\"']+", re.ASCII)


def render(template: str, **values: Any) -> str:
    """Fill a template of this service; a value that is missing is an error."""
    return _environment().get_template(template).render(**values)


def as_html(text: str) -> str:
    """Say a plain text in HTML: paragraphs, quotes and indented blocks; a line that is a link becomes one.

    It is made of the text itself, so that the two parts of a mail cannot say different things.
    """
    blocks = [block.splitlines() for block in re.split(r"\n{2,}", text.strip("\n"))]
    return render("mail.html.j2", blocks=[(_kind(lines), _unmarked(lines)) for lines in blocks])


def _kind(lines: list[str]) -> str:
    if all(line.startswith(">") for line in lines):
        return "quote"
    return "block" if any(line.startswith(" ") for line in lines) else "paragraph"


def _unmarked(lines: list[str]) -> list[tuple[str, bool]]:
    """Take quote marks off, and tell of each line whether it is a link."""
    marked = _kind(lines) == "quote"
    plain = [line.removeprefix(">").removeprefix(" ") if marked else line for line in lines]
    return [(line, _LINK.fullmatch(line) is not None) for line in plain]


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=_is_html,  # noqa: S701  on for HTML; plain text has no entities
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "date": _date,
        "fill": _fill,
        "human": size_text,
        "indented": _indented,
        "line": one_line,
        "quoted": _quoted,
        "commas": ", ".join,
    }
    return environment


def _is_html(template: str | None) -> bool:
    """Escape in HTML alone; in plain text & is no entity."""
    return template is not None and template.endswith(".html.j2")


def _date(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _fill(text: str, indent: int = 0) -> str:
    """Wrap at word ends; what has no word end, such as a link, stays whole."""
    return textwrap.fill(
        one_line(text),
        width=_WIDTH,
        initial_indent=" " * indent,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _indented(text: str, indent: int) -> str:
    """Wrap each line of a text by itself, so that a list stays a list."""
    return "\n".join(_fill(line, indent) for line in text.splitlines() if line.strip())


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.splitlines())

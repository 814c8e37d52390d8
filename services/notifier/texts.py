"""Texts from templates: plain text, wrapped for reading."""

import textwrap
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from services.notifier.mail import one_line

_WIDTH = 78


def render(template: str, **values: Any) -> str:
    """Fill a template of this service; a value that is missing is an error."""
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=False,  # noqa: S701  the texts are plain text, in which & is no entity
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "date": _date,
        "fill": _fill,
        "human": _human,
        "indented": _indented,
        "line": one_line,
        "quoted": _quoted,
        "commas": ", ".join,
    }
    return environment


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


def _human(size: int) -> str:
    """Write a size in decimal units, as disks and networks are sold."""
    units: Iterable[tuple[str, int]] = (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3))
    for unit, factor in units:
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size} bytes"

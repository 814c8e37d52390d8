"""What comes with extras of ours, by what installed distributions say that they need."""

import re
from importlib.metadata import distribution

from packaging.requirements import Requirement


def canonical(name: str) -> str:
    """Write a distribution's name as all its spellings are written."""
    return re.sub(r"[-_.]+", "-", name).lower()


def installed_with(*extras: str) -> set[str]:
    """Name all distributions that come with extras of ours."""
    found, todo = set[str](), [("alma-restore", extra) for extra in ("", *extras)]
    seen = set(todo)
    while todo:
        name, extra = todo.pop()
        found.add(name)
        for text in distribution(name).requires or []:
            needed = Requirement(text)
            if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                wanted = {(canonical(needed.name), more) for more in ("", *needed.extras)} - seen
                seen |= wanted
                todo.extend(wanted)
    return found

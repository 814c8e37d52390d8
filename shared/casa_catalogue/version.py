"""CASA's version numbers, which are compared by their parts."""

import re
from functools import total_ordering

_GRAMMAR = re.compile(r"(\d+(?:\.\d+)*)(?:-(\d+))?", re.ASCII)


@total_ordering
class CasaVersion:
    """A version such as ``5.1.1-5``: parts are numbers, and ``6.10`` comes after ``6.9``.

    Parameters
    ----------
    text
        The version as a manifest has it; what follows it (``r40896``) is not looked at.

    Raises
    ------
    ValueError
        If the text begins with no version.
    """

    def __init__(self, text: str) -> None:
        found = _GRAMMAR.match(text.strip())
        if found is None:
            raise ValueError(f"{text!r} is no version of CASA: write it like 5.1.1-5")
        self.text = found.group()
        parts = [int(part) for part in found.group(1).split(".")]
        while parts and parts[-1] == 0:  # 5.0 and 5 are the same
            parts.pop()
        self._key = tuple(parts), int(found.group(2) or 0)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"CasaVersion({self.text!r})"

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CasaVersion) and self._key == other._key

    def __lt__(self, other: "CasaVersion") -> bool:
        return self._key < other._key

"""The tasks of the pipeline and their parameters, by release; what a release does not take, it drops or trips over."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from shared.pipeline_files.ppr.rules import PprError

BREAKPOINT = "breakpoint"
"""A command that is no task: the pipeline passes over it."""
_DATA = "shared.pipeline_files.recipes"


def casa_numbers(version: str) -> tuple[int, ...]:
    """Return the numbers of a CASA version, to be compared: ``6.6.6-17`` gives 6, 6, 6, 17.

    Raises
    ------
    PprError
        With rule ``casa_version`` if it does not begin with two numbers.
    """
    if re.match(r"\d+\.\d+", version, re.ASCII) is None:
        raise PprError("casa_version", f"{version!r} is no version of CASA: write it like 6.6.6 or 6.6.6-17")
    return tuple(int(number) for number in re.findall(r"\d+", version, re.ASCII))


@dataclass(frozen=True, kw_only=True)
class Span:
    """The releases that know something, by their CASA: from ``since`` on and before ``until``; None is no limit."""

    since: str | None = None
    until: str | None = None

    def covers(self, casa_version: str) -> bool:
        """Whether the release with this CASA is among them."""
        numbers = casa_numbers(casa_version)
        return (self.since is None or casa_numbers(self.since) <= numbers) and (
            self.until is None or numbers < casa_numbers(self.until)
        )

    def __str__(self) -> str:
        parts = (f"from CASA {self.since} on" if self.since else "", f"before CASA {self.until}" if self.until else "")
        return " and ".join(part for part in parts if part) or "in every release"


@dataclass(frozen=True, kw_only=True)
class Task:
    """A pipeline task.

    Attributes
    ----------
    takes_data
        Whether the pipeline gives it ``vis`` and ``session`` from the data set, whatever the request says.
    span
        The releases that have it.
    parameters
        What it takes, with the releases that know each.
    """

    name: str
    takes_data: bool
    span: Span
    parameters: Mapping[str, Span]

    def check(self, keywords: Iterable[str], casa_version: str) -> None:
        """Refuse what the release with this CASA does not know.

        Raises
        ------
        PprError
            With rule ``task_not_in_release`` or ``parameter_not_in_release``.
        """
        if not self.span.covers(casa_version):
            raise PprError(
                "task_not_in_release",
                f"the pipeline of CASA {casa_version} has no {self.name}; it is there {self.span}",
            )
        for keyword in keywords:
            if not self.parameters[keyword].covers(casa_version):
                raise PprError(
                    "parameter_not_in_release",
                    f"{self.name} of the pipeline of CASA {casa_version} would be run without {keyword}, "
                    f"which it knows {self.parameters[keyword]}",
                )


@cache
def known_tasks() -> Mapping[str, Task]:
    """Return all tasks by their names."""
    return MappingProxyType({name: _task(name, entry) for name, entry in read_data("tasks").items()})


def read_data(name: str) -> dict[str, Any]:
    """Read one of the data files about the pipeline."""
    return tomllib.loads(files(_DATA).joinpath(f"{name}.toml").read_text(encoding="utf-8"))


def _task(name: str, entry: Mapping[str, Any]) -> Task:
    since, until = entry.get("since_parameters", {}), entry.get("until_parameters", {})
    return Task(
        name=name,
        takes_data=entry.get("data", False),
        span=Span(since=entry.get("since"), until=entry.get("until")),
        parameters={
            keyword: Span(since=since.get(keyword), until=until.get(keyword)) for keyword in entry["parameters"].split()
        },
    )

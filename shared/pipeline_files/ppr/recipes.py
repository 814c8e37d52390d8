"""The kinds of processing, and for each the recipe of a pipeline release."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from types import MappingProxyType
from typing import Any

from shared.pipeline_files.ppr.procedure import Command, Parameter, Procedure
from shared.pipeline_files.ppr.rules import PprError, Value
from shared.pipeline_files.ppr.tasks import Span, casa_numbers, known_tasks, read_data

# Source: pipeline/extern/XmlObjectifier.py, which notes PIPE-585 and PIPE-1428.
_COLLECTIONS: Mapping[type, Span] = {list: Span(since="6.1"), tuple: Span(since="6.1"), dict: Span(since="6.4")}

# Source: pipeline/hif/tasks/mstransform, which compares the one with 1 and the other with '0s'.
_CHOICE_TYPES: Mapping[str, tuple[type, str]] = {"chanbin": (int, "4"), "timebin": (str, "10s")}


class Kind(StrEnum):
    """What is to be done with the execution blocks."""

    RESTORE = "restore"
    DELIVER = "deliver"
    CALIMAGE = "calimage"
    CAL = "cal"
    IMAGE = "image"
    SD_RESTORE = "sd-restore"
    SD_CALIMAGE = "sd-calimage"
    IMPORT = "import"

    @property
    def needs_calibration(self) -> bool:
        """Whether an earlier calibration is restored, so that its products have to be there."""
        return self in (Kind.RESTORE, Kind.DELIVER, Kind.IMAGE, Kind.SD_RESTORE)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The commands of a kind in one pipeline release.

    Attributes
    ----------
    kind
        What is done.
    casa
        The CASA that the release began with.
    title
        Its name, which becomes part of the names of exported products.
    intent
        The intent that tells the observing mode.
    commands
        Its tasks.
    choices
        Parameters that whoever makes a request may set, by task.
    """

    kind: Kind
    casa: str
    title: str
    intent: str
    commands: tuple[Command, ...]
    choices: Mapping[str, tuple[str, ...]]

    def procedure(self, *, copytoraw: bool = False, chosen: Mapping[str, Value] | None = None) -> Procedure:
        """Make the procedure.

        Parameters
        ----------
        copytoraw
            Whether the restore looks for the calibration in ``products`` instead of ``rawdata`` (the old layout).
        chosen
            Parameters that the recipe leaves open.

        Raises
        ------
        PprError
            With rule ``unknown_choice`` if the recipe leaves open no such parameter, ``choice_type`` if
            its task would fail at the value.
        """
        chosen = dict(chosen or {})
        commands = tuple(self._filled(command, chosen, copytoraw) for command in self.commands)
        offered = [keyword for keywords in self.choices.values() for keyword in keywords]
        if unknown := sorted(set(chosen) - set(offered)):
            raise PprError(
                "unknown_choice",
                f"{', '.join(unknown)}: the recipe {self.title} of CASA {self.casa} leaves open "
                f"{', '.join(offered) or 'nothing'}",
            )
        for keyword, (kind, example) in _CHOICE_TYPES.items():
            if keyword in chosen and type(chosen[keyword]) is not kind:
                raise PprError(
                    "choice_type", f"{keyword}: the task would fail at {chosen[keyword]!r:.80}; write it like {example}"
                )
        if copytoraw and not any(_places_calibration(command) for command in self.commands):
            raise PprError("unknown_choice", f"copytoraw: {self.title} restores nothing")
        return Procedure(title=self.title, commands=commands)

    def _filled(self, command: Command, chosen: Mapping[str, Value], copytoraw: bool) -> Command:
        parameters = tuple(
            Parameter(keyword=each.keyword, value=copytoraw) if each.keyword == "copytoraw" else each
            for each in command.parameters
        )
        added = tuple(
            Parameter(keyword=keyword, value=chosen[keyword])
            for keyword in self.choices.get(command.task, ())
            if keyword in chosen
        )
        return Command(task=command.task, parameters=parameters + added)


def find_recipe(kind: Kind, casa_version: str) -> Recipe:
    """Return the recipe of the newest release that is not newer than a CASA version.

    Raises
    ------
    PprError
        With rule ``no_recipe`` if the kind is not known of so old a release.
    """
    numbers = casa_numbers(casa_version)
    fitting = [recipe for recipe in all_recipes()[kind] if casa_numbers(recipe.casa) <= numbers]
    if not fitting:
        oldest = all_recipes()[kind][0].casa
        raise PprError("no_recipe", f"{kind} is not known of CASA {casa_version}, only from {oldest} on")
    return fitting[-1]


@cache
def all_recipes() -> Mapping[Kind, tuple[Recipe, ...]]:
    """Return the recipes of every kind, oldest release first."""
    return MappingProxyType(
        {kind: tuple(_recipe(kind, entry) for entry in read_data(kind)["release"]) for kind in Kind}
    )


def check_release(procedure: Procedure, casa_version: str) -> None:
    """Refuse a procedure that the pipeline release with this CASA would not run as it is written.

    Raises
    ------
    PprError
        With rule ``task_not_in_release``, ``parameter_not_in_release`` or ``value_not_in_release``.
    """
    for command in procedure.commands:
        known_tasks()[command.task].check([each.keyword for each in command.parameters], casa_version)
        for each in command.parameters:
            span = _COLLECTIONS.get(type(each.value))
            if span is not None and not span.covers(casa_version):
                raise PprError(
                    "value_not_in_release",
                    f"{command.task}: the pipeline of CASA {casa_version} would take {each.keyword} for the text "
                    f"{each.value!r:.80}; it reads a {type(each.value).__name__} {span}",
                )


def _recipe(kind: Kind, entry: Mapping[str, Any]) -> Recipe:
    return Recipe(
        kind=kind,
        casa=entry["casa"],
        title=entry["title"],
        intent=entry["intent"],
        commands=tuple(_command(command) for command in entry["commands"]),
        choices={task: tuple(keywords) for task, keywords in entry.get("choices", {}).items()},
    )


def _command(entry: Mapping[str, Any]) -> Command:
    parameters = tuple(Parameter(keyword=key, value=value) for key, value in entry.items() if key != "task")
    return Command(task=entry["task"], parameters=parameters)


def _places_calibration(command: Command) -> bool:
    return any(each.keyword == "copytoraw" for each in command.parameters)

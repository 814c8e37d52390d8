"""The procedure of a PPR: which pipeline tasks run, with which parameters."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from shared.pipeline_files.ppr.rules import PprError, Value, check_text, check_value, repeated

_RESTORE: Final = frozenset({"asis", "bdfflags", "copytoraw", "lazy", "ocorr_mode", "products_dir", "rawdata_dir"})
TASKS: Final[Mapping[str, frozenset[str]]] = {
    "hifa_restoredata": _RESTORE,
    "hsd_restoredata": _RESTORE | {"caltable", "hm_rasterscan", "reffile"},
    "hif_mstransform": frozenset({"chanbin", "field", "intent", "outputvis", "spw", "timebin", "vis"}),
    "hifa_exportdata": frozenset(
        {"calimages", "exportmses", "imaging_products_only", "pprfile", "products_dir", "tarms", "targetimages", "vis"}
    ),
}
"""Tasks of a restore with their parameters. The data tasks get ``vis`` and ``session`` from the data set."""


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A task's parameter and the value that the task gets."""

    keyword: str
    value: Value

    def __post_init__(self) -> None:
        check_text(self.keyword, where="a Parameter's Keyword")
        check_value(self.value, where=f"the Value of parameter {self.keyword}")


@dataclass(frozen=True, kw_only=True)
class Command:
    """A pipeline task. Its ParameterSet is always written: without one the pipeline drops it and all after it."""

    task: str
    parameters: tuple[Parameter, ...] = ()

    def __post_init__(self) -> None:
        check_text(self.task, where="Command")
        if self.task not in TASKS:
            raise PprError("unknown_task", f"{self.task!r} is not one of {', '.join(TASKS)}")
        keywords = [parameter.keyword for parameter in self.parameters]
        if twice := repeated(keywords):
            raise PprError("repeated_parameter", f"{self.task}: of {', '.join(twice)} only the last would count")
        if unknown := sorted(set(keywords) - TASKS[self.task]):
            raise PprError("unknown_parameter", f"{self.task} does not take {', '.join(unknown)}")


@dataclass(frozen=True, kw_only=True)
class Procedure:
    """The tasks in their order. The title becomes part of the names of exported products."""

    title: str
    commands: tuple[Command, ...]

    def __post_init__(self) -> None:
        check_text(self.title, where="ProcedureTitle")
        if "/" in self.title:
            raise PprError("procedure_title", f"ProcedureTitle {self.title!r} cannot be part of a file name")
        if not self.commands:
            raise PprError("no_commands", "there is no command: the pipeline would end at once, and exit with 0")

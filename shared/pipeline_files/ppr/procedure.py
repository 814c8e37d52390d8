"""The procedure of a PPR: which pipeline tasks run, with which parameters."""

from dataclasses import dataclass

from shared.pipeline_files.ppr.rules import PprError, Value, check_text, check_value, repeated
from shared.pipeline_files.ppr.tasks import BREAKPOINT, known_tasks


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
    """A pipeline task that some release has.

    Its ParameterSet is always written: without one the pipeline drops the command and all after it.
    """

    task: str
    parameters: tuple[Parameter, ...] = ()

    def __post_init__(self) -> None:
        check_text(self.task, where="Command")
        task = known_tasks().get(self.task)
        if task is None:
            raise PprError(
                "unknown_task", f"{self.task!r} is no task that is known here; the pipeline ends at such a one"
            )
        keywords = [parameter.keyword for parameter in self.parameters]
        if twice := repeated(keywords):
            raise PprError("repeated_parameter", f"{self.task}: of {', '.join(twice)} only the last would count")
        if replaced := sorted({"session", "vis"}.intersection(keywords) if task.takes_data else ()):
            raise PprError(
                "replaced_parameter",
                f"{self.task}: the pipeline replaces {', '.join(replaced)} with the data set's own",
            )
        if unknown := sorted(set(keywords) - set(task.parameters)):
            raise PprError(
                "unknown_parameter",
                f"{self.task} has no {', '.join(unknown)}: the pipeline would drop it without a word, or fail",
            )


@dataclass(frozen=True, kw_only=True)
class Procedure:
    """The tasks in their order. The title becomes part of the names of exported products."""

    title: str
    commands: tuple[Command, ...]

    def __post_init__(self) -> None:
        check_text(self.title, where="ProcedureTitle")
        if "/" in self.title:
            raise PprError("procedure_title", f"ProcedureTitle {self.title!r} cannot be part of a file name")
        if all(command.task == BREAKPOINT for command in self.commands):
            raise PprError("no_commands", "there is nothing to run: the pipeline would end at once, and exit with 0")

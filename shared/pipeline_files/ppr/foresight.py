"""Foretells what the pipeline does with any request, also with one that no model of ours could be made of.

It follows ``pipeline/infrastructure/executeppr.py`` step by step, with its
errors: what it does not find it mostly takes for the end of a list, and most
errors end it with exit status 0.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lxml import etree

from shared.pipeline_files.ppr.document import parse, unreadable_names
from shared.pipeline_files.ppr.nodes import Node, NotThereError
from shared.pipeline_files.ppr.reading import (
    Commands,
    Ending,
    Findings,
    read_data_set,
    read_intents,
    read_procedure,
    read_request,
)
from shared.pipeline_files.ppr.rules import Value
from shared.pipeline_files.ppr.tasks import BREAKPOINT, Task, known_tasks

_ENDINGS = (
    *("_target.ms", "_targets.ms", "_targets_line.ms", "_imaging.ms", "_imaging_line.ms", "_cont.ms"),
    ".ms",
)
_UNSETTABLE = ("__class__", "__dict__", "__weakref__")
_ATTRIBUTES = (
    ("ObsUnitSetRef", "entityTypeName"),
    ("ObsUnitSetRef", "entityId"),
    ("ObsUnitSetRef", "partId"),
    ("ProjectStatusRef", "entityTypeName"),
    ("ProjectStatusRef", "entityId"),
    ("OUSStatusRef", "entityTypeName"),
    ("OUSStatusRef", "entityId"),
)


@dataclass(frozen=True, kw_only=True)
class Step:
    """A task that the pipeline runs, with the parameters that reach it."""

    task: str
    parameters: Mapping[str, Value]
    takes_data: bool


@dataclass(frozen=True, kw_only=True)
class Foresight:
    """What the pipeline does with a request.

    Attributes
    ----------
    ending
        Whether it runs at all.
    notes
        What goes otherwise than the request may mean: what is dropped, misread, or why it ends.
    summary, structure
        What it read of project and MOUS, by the names of the elements; None what is not there.
    relative_path
        Folder below the root, to which it adds ``rawdata`` and ``working``.
    sessions
        The session that each ASDM is put into, by its name on disk and in order.
    title
        Name of the procedure.
    steps
        What is run, in order.
    intents
        All intents that it reads.
    """

    ending: Ending
    notes: tuple[str, ...]
    summary: Mapping[str, Value | None]
    structure: Mapping[str, Value | None]
    relative_path: Value | None
    sessions: Mapping[str, str]
    title: Value
    steps: tuple[Step, ...]
    intents: Mapping[str, Value]


def foresee(data: bytes) -> Foresight:
    """Tell what the pipeline does with a request.

    Raises
    ------
    PprError
        With rule ``xml`` if it is no XML within our limits, with which the pipeline ends at once too.
    """
    return _Pipeline(parse(data)).run()


class _Pipeline:
    """Reads a request as the pipeline does and notes what it makes of it."""

    def __init__(self, root: etree._Element) -> None:
        self._root = Node(root)
        self._unreadable = unreadable_names(root)
        self._findings = Findings()

    def run(self) -> Foresight:
        findings = self._findings
        if self._unreadable:
            findings.ends(
                Ending.QUIET,
                f"elements are called {', '.join(self._unreadable)}, which ends the reader of some or all pipelines",
            )
        summary = {name: self._needed("ProjectSummary", name) for name in ("ProposalCode", "Observatory", "Telescope")}
        structure = self._structure()
        request = read_request(self._root, findings)
        intents = {} if request is None else read_intents(request, findings)
        title, commands = ("Undefined", []) if request is None else read_procedure(request, findings)
        path, asdms = (None, []) if request is None else read_data_set(request, findings)
        self._check_texts({**summary, **structure, "ProcedureTitle": title})
        self._check_path(path)
        self._check_keywords(intents)
        sessions = self._sessions(asdms, intents)
        steps = tuple(self._steps(commands))
        return Foresight(
            ending=findings.ending,
            notes=findings.notes,
            summary=summary,
            structure=structure,
            relative_path=path,
            sessions=sessions,
            title=title,
            steps=steps,
            intents=intents,
        )

    def _needed(self, *tags: str) -> Value | None:
        try:
            return self._root.at(*tags).value()
        except NotThereError as error:
            self._findings.ends(Ending.QUIET, f"{'/'.join(tags)} is needed: {error}")
            return None

    def _structure(self) -> dict[str, Value | None]:
        old = len(self._root.all_in("ProjectStructure", "OUSStatusRef")) == 1
        holder = ("ProjectStructure",) if old else ("ProjectStructure", "AlmaStructure")
        found = {f"{tag}/{name}": self._attribute((*holder, tag), name) for tag, name in _ATTRIBUTES}
        return found | {tag: self._needed(*holder, tag) for tag in ("ObsUnitSetTitle", "ObsUnitSetType")}

    def _attribute(self, tags: tuple[str, ...], name: str) -> Value | None:
        try:
            return self._root.at(*tags).attribute(name)
        except NotThereError as error:
            self._findings.ends(Ending.QUIET, f"{'/'.join(tags)} is needed: {error}")
            return None

    def _check_texts(self, values: Mapping[str, Value | None]) -> None:
        """Note what is no text: the pipeline adds it to one, outside of what catches its errors."""
        for name, value in values.items():
            if value is not None and not isinstance(value, str):
                self._findings.ends(Ending.CRASH, f"{name} is read as {value!r}, not as a text")

    def _check_keywords(self, intents: Mapping[str, Value]) -> None:
        """Note keywords that are set as if they were parameters, though they are something of Python's."""
        for keyword in intents:
            if keyword in _UNSETTABLE:
                self._findings.ends(Ending.CRASH, f"the intent {keyword} is something of Python's")

    def _check_path(self, path: Value | None) -> None:
        if isinstance(path, str) and (path.startswith("/") or ".." in path.split("/")):
            self._findings.note(f"RelativePath {path} leads out of the pipeline's root")

    def _sessions(self, asdms: list[str], intents: Mapping[str, Value]) -> dict[str, str]:
        sessions: dict[str, list[str]] = {}
        while (key := f"SESSION_{len(sessions) + 1}") in intents:
            value = intents[key]
            if not isinstance(value, str):
                self._findings.ends(Ending.CRASH, f"{key} is read as {value!r}, not as a text")
                return {}
            sessions[key] = value.translate(str.maketrans(":/", "__")).split(" | ")
        lost = [keyword for keyword in intents if keyword.upper().startswith("SESSION") and keyword not in sessions]
        if lost:
            self._findings.note(f"not seen as sessions, since there is no {key}: {', '.join(lost)}")
        return {asdm: self._session(asdm, sessions) for asdm in asdms}

    def _session(self, asdm: str, sessions: Mapping[str, list[str]]) -> str:
        name = asdm
        while ending := next((ending for ending in _ENDINGS if name.endswith(ending)), None):
            name = name.removesuffix(ending)
        for key, names in sessions.items():
            if name in names:
                return key.lower()
        self._findings.note(f"{asdm} is named by no session that is read: it is taken for one of session_1")
        return "session_1"

    def _steps(self, commands: Commands) -> Iterator[Step]:
        for number, (name, parameters) in enumerate(commands, start=1):
            task = known_tasks().get(name)
            if task is None:
                old = "crash" if number == 1 else "end with exit status 0"
                self._findings.note(
                    f"{name} is no task that is known here; a pipeline without it ends there with "
                    f"{len(commands) - number} commands left (older ones {old}, that of 2025 says that it failed)"
                )
                yield Step(task=name, parameters=parameters, takes_data=False)
            elif name != BREAKPOINT:
                yield self._step(task, parameters)

    def _step(self, task: Task, parameters: Mapping[str, Value]) -> Step:
        replaced = {"vis", "session"}.intersection(parameters) if task.takes_data else set()
        dropped = sorted(set(parameters) - set(task.parameters) - replaced)
        if replaced:
            self._findings.note(f"{task.name}: {', '.join(sorted(replaced))} is replaced with what the data set says")
        if dropped:
            self._findings.note(
                f"{task.name} does not take {', '.join(dropped)}: older pipelines drop it without a word, "
                f"that of 2025 ends there"
            )
        kept = {key: value for key, value in parameters.items() if key in task.parameters}
        return Step(task=task.name, parameters=kept, takes_data=task.takes_data)

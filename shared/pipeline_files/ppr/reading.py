"""Reads the lists of a request as the pipeline does: what it cannot read is the end of the list, and told by nobody."""

from collections.abc import Iterator
from enum import StrEnum

from shared.pipeline_files.ppr.nodes import Node, NotThereError
from shared.pipeline_files.ppr.rules import Value
from shared.pipeline_files.ppr.tasks import BREAKPOINT

Commands = list[tuple[str, dict[str, Value]]]


class Ending(StrEnum):
    """How the pipeline ends with a request."""

    RUNS = "runs"
    QUIET = "ends at once: writes errorexit-<time>.txt, exit status 0"
    CRASH = "crashes with a Python traceback before it runs anything"


class Findings:
    """What goes otherwise than a request may mean, and how it ends; the first error decides."""

    def __init__(self) -> None:
        self.ending = Ending.RUNS
        self._notes: list[str] = []

    @property
    def notes(self) -> tuple[str, ...]:
        """All that was noted, once each."""
        return tuple(dict.fromkeys(self._notes))

    def note(self, text: str) -> None:
        """Note something that the pipeline drops or changes."""
        self._notes.append(text)

    def ends(self, how: Ending, why: str) -> None:
        """Note why the pipeline ends before it runs anything."""
        self._notes.append(why)
        if self.ending is Ending.RUNS:
            self.ending = how


def read_request(root: Node, findings: Findings) -> Node | None:
    """Return the request that is looked at."""
    requests = root.all_in("ProcessingRequests", "ProcessingRequest")
    if len(requests) > 1:
        # Of several the folder is never read, only looked up, and joining it to a path fails.
        findings.ends(Ending.QUIET, f"{len(requests)} ProcessingRequests: the first is read, but without its folder")
    if not requests:
        findings.ends(Ending.QUIET, "there is no ProcessingRequest")
        return None
    return requests[0]


def read_intents(request: Node, findings: Findings) -> dict[str, Value]:
    """Return the intents up to the first without a keyword; of two with one keyword the last."""
    found: dict[str, Value] = {}
    holders = request.all("ProcessingIntents")
    if not holders:
        findings.ends(Ending.QUIET, "there are no ProcessingIntents")
    if len(holders) > 1:
        findings.note(f"{len(holders)} ProcessingIntents: none of them is read, and so no session")
    intents = request.all_in("ProcessingIntents", "Intents")
    for number, intent in enumerate(intents, start=1):
        try:
            name = _keyword(intent)
        except NotThereError as error:
            findings.note(f"{_lost('intent', number, len(intents))}: {error}")
            break
        keyword = str(name)
        if not isinstance(name, str):
            findings.ends(Ending.CRASH, f"the Keyword of intent {number} is read as {name!r}, not as a text")
        if keyword in found:
            findings.note(f"intent {keyword} stands there twice: the last counts")
        found[keyword] = _optional(intent, f"intent {keyword}", findings)
    return found


def read_procedure(request: Node, findings: Findings) -> tuple[Value, Commands]:
    """Return title and commands, the latter up to the first that cannot be read."""
    try:
        procedure = request.at("ProcessingProcedure")
    except NotThereError as error:
        findings.ends(Ending.QUIET, f"one ProcessingProcedure is needed: {error}")
        return "Undefined", []
    try:
        title = procedure.at("ProcedureTitle").value()
    except NotThereError as error:
        title = "Undefined"
        findings.note(f"the procedure is called Undefined: {error}")
    commands = list(_commands(procedure, findings))
    if not commands:
        findings.ends(Ending.QUIET, "there is no command")
    elif all(name == BREAKPOINT for name, _ in commands):
        findings.note("there are only breakpoints, and nothing is run")
    return title, commands


def read_data_set(request: Node, findings: Findings) -> tuple[Value | None, list[str]]:
    """Return the folder, and the names of the ASDMs up to the first that cannot be read."""
    try:
        block = request.at("DataSet", "SchedBlockSet", "SchedBlockIdentifier")
        path = block.at("RelativePath").value()
    except NotThereError as error:
        findings.ends(Ending.QUIET, f"one scheduling block with a RelativePath is needed: {error}")
        return None, []
    if not isinstance(path, str):
        findings.ends(Ending.QUIET, f"RelativePath is read as {path!r}, not as a text")
    asdms = list(_asdms(block, findings))
    if not asdms:
        findings.ends(Ending.QUIET, "there is no ASDM")
    return path, asdms


def _commands(procedure: Node, findings: Findings) -> Iterator[tuple[str, dict[str, Value]]]:
    commands = procedure.all("ProcessingCommand")
    for number, command in enumerate(commands, start=1):
        lost = _lost("command", number, len(commands))
        try:
            name = command.at("Command").value()
            holder = _parameter_set(command, str(name), findings)
            parameters = {} if holder is None else _parameters(str(name), holder, findings)
        except NotThereError as error:
            findings.note(f"{lost}: {error}")
            return
        strange = [each for each in (name, *parameters) if not isinstance(each, str)]
        if strange:
            why = f"{strange[0]!r}, not a text, is read as its name or as a parameter's, and the pipeline ends there"
            findings.note(f"{lost}: {why}")
            if number == 1:
                findings.ends(Ending.CRASH, why)
            return
        yield str(name), {str(keyword): value for keyword, value in parameters.items()}


def _parameter_set(command: Node, task: str, findings: Findings) -> Node | None:
    """Return the parameters of a command; of several sets none."""
    sets = command.all("ParameterSet")
    if not sets:
        raise NotThereError(f"{task} has no ParameterSet")
    if len(sets) > 1:
        findings.note(f"{task} has {len(sets)} ParameterSets: all its parameters are lost")
        return None
    return sets[0]


def _parameters(task: str, holder: Node, findings: Findings) -> dict[Value, Value]:
    found: dict[Value, Value] = {}
    parameters = holder.all("Parameter")
    for number, parameter in enumerate(parameters, start=1):
        try:
            keyword = _keyword(parameter)
        except NotThereError as error:
            findings.note(f"{task}: {_lost('parameter', number, len(parameters))}: {error}")
            break
        if keyword in found:
            findings.note(f"{task}: {keyword} stands there twice: the last counts")
        found[keyword] = _optional(parameter, f"parameter {keyword} of {task}", findings)
    return found


def _asdms(block: Node, findings: Findings) -> Iterator[str]:
    asdms = block.all("AsdmIdentifier")
    for number, asdm in enumerate(asdms, start=1):
        try:
            name = asdm.at("AsdmDiskName").value()
            asdm.at("AsdmRef", "ExecBlockId").value()
        except NotThereError as error:
            findings.note(f"{_lost('ASDM', number, len(asdms))}: {error}")
            return
        if not isinstance(name, str):
            findings.ends(Ending.CRASH, f"the AsdmDiskName of ASDM {number} is read as {name!r}, not as a text")
        yield str(name)


def _keyword(pair: Node) -> Value:
    """Return the Keyword of a pair, unless it is something that Python has no keys of."""
    keyword = pair.at("Keyword").value()
    try:
        hash(keyword)
    except TypeError as error:
        raise NotThereError(f"its Keyword is read as {keyword!r}") from error
    return keyword


def _optional(holder: Node, what: str, findings: Findings) -> Value:
    """Return the Value of a pair, which counts as empty if it cannot be read."""
    try:
        return holder.at("Value").value()
    except NotThereError as error:
        if any(not value.is_empty for value in holder.all("Value")):
            findings.note(f"the Value of {what} counts as empty: {error}")
        return ""


def _lost(what: str, number: int, of: int) -> str:
    return f"{what} {number} of {of} is lost" + (" with all after it" if number < of else "")

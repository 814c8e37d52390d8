"""What the pipeline would see in a PPR: its rules once more, by another XML library and without our model.

Written from the behaviour of the public ``executeppr`` and of its reader, which makes Python attributes of
elements: only leaves with one text node have a value, what cannot be read is the end of a list, a value that cannot
be read is empty, texts are cast, keys have to be texts, sessions are contiguous, blocks without one are in
``session_1``.
"""

import ast
import keyword
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from xml.dom import minidom
from xml.parsers.expat import ExpatError


class UnseenError(Exception):
    """The pipeline would end before it ran anything."""


@dataclass(frozen=True)
class Seen:
    """Tasks with their parameters, the session of each ASDM, and the prefix of all products."""

    path: object
    mous_uid: str
    tasks: list[tuple[object, dict[object, object]]]
    sessions: dict[object, str]


def look(data: bytes) -> Seen:
    """Read a PPR as the pipeline does.

    Raises
    ------
    UnseenError
        If it would not get to a command.
    """
    try:
        document = minidom.parseString(data)
    except (ExpatError, LookupError, ValueError) as error:
        raise UnseenError("no XML that its parser reads") from error
    root: Any = document.documentElement
    root.normalize()
    for element in [root, *root.getElementsByTagName("*")]:
        _check_names(element)
    request = _child(_child(root, "ProcessingRequests"), "ProcessingRequest")
    block = _child(_child(_child(request, "DataSet"), "SchedBlockSet"), "SchedBlockIdentifier")
    intents = _intents(request)
    _check_title(_child(request, "ProcessingProcedure"))
    seen = Seen(
        path=_leaf(block, "RelativePath"),
        mous_uid=_mous(root),
        tasks=list(_run(_listed(_child(request, "ProcessingProcedure"), "ProcessingCommand", _task))),
        sessions={name: _session(name, intents) for name in _disk_names(block)},
    )
    if not seen.tasks or not seen.sessions or not isinstance(seen.path, str):
        raise UnseenError("an empty list, or no folder")
    return seen


def _run(commands: Iterator[tuple[object, dict[object, object]]]) -> Iterator[tuple[object, dict[object, object]]]:
    """Yield commands up to the first that, or a parameter of which, is called otherwise than by a text."""
    for name, parameters in commands:
        if not all(isinstance(text, str) for text in (name, *parameters)):
            return
        yield name, parameters


def _intents(request: Any) -> dict[object, object]:
    """Return the intents, of several holders none, once those that name sessions are texts."""
    holders = _all(request, "ProcessingIntents")
    if not holders:
        raise UnseenError("no intents")
    intents = dict(_listed(holders[0], "Intents", _pair)) if len(holders) == 1 else {}
    number = 1
    while (key := f"SESSION_{number}") in intents:
        if not isinstance(intents[key], str):
            raise UnseenError(f"{key} is no text")
        number += 1
    if not all(isinstance(name, str) for name in intents):
        raise UnseenError("an intent that is no text")
    if not {"__class__", "__dict__", "__weakref__"}.isdisjoint(intents):
        raise UnseenError("an intent that is something of Python's")
    return intents


def _check_title(procedure: Any) -> None:
    try:
        title = _leaf(procedure, "ProcedureTitle")
    except UnseenError:
        return
    if not isinstance(title, str):
        raise UnseenError("a title that is no text")


def _mous(root: Any) -> str:
    """Return the MOUS once all that is put together with texts is one."""
    summary, structure = _child(root, "ProjectSummary"), _child(root, "ProjectStructure")
    texts = [_leaf(summary, name) for name in ("ProposalCode", "Observatory", "Telescope")]
    if len(_all(structure, "OUSStatusRef")) != 1:
        structure = _child(structure, "AlmaStructure")
    texts += [_leaf(structure, name) for name in ("ObsUnitSetTitle", "ObsUnitSetType")]
    for name in ("ObsUnitSetRef", "ProjectStatusRef", "OUSStatusRef"):
        reference = _child(structure, name)
        texts += [_cast(reference.getAttribute(attribute)) for attribute in ("entityTypeName", "entityId")]
    texts.append(_cast(_child(structure, "ObsUnitSetRef").getAttribute("partId")))
    if not all(isinstance(text, str) for text in texts):
        raise UnseenError("a number where a text is")
    return str(_child(structure, "OUSStatusRef").getAttribute("entityId"))


def _listed(parent: Any, tag: str, read: Callable[[Any], Any]) -> Iterator[Any]:
    """Read elements up to the first that cannot be read."""
    for element in _all(parent, tag):
        try:
            yield read(element)
        except UnseenError:
            return


def _pair(element: Any) -> tuple[object, object]:
    name = _leaf(element, "Keyword")
    try:
        hash(name)
    except TypeError as error:
        raise UnseenError("a key that Python takes for none") from error
    try:
        return name, _leaf(element, "Value")
    except UnseenError:
        return name, ""


def _task(command: Any) -> tuple[object, dict[object, object]]:
    sets = _all(command, "ParameterSet")
    if not sets:
        raise UnseenError("no ParameterSet")
    return _leaf(command, "Command"), dict(_listed(sets[0], "Parameter", _pair)) if len(sets) == 1 else {}


def _disk_names(block: Any) -> list[str]:
    names = list(_listed(block, "AsdmIdentifier", _disk_name))
    if not all(isinstance(name, str) for name in names):
        raise UnseenError("an ASDM that is no text")
    return names


def _disk_name(asdm: Any) -> object:
    _leaf(_child(asdm, "AsdmRef"), "ExecBlockId")
    return _leaf(asdm, "AsdmDiskName")


def _session(disk_name: str, intents: dict[object, object]) -> str:
    number = 1
    while (value := intents.get(f"SESSION_{number}")) is not None:
        if disk_name in str(value).replace(":", "_").replace("/", "_").split(" | "):
            return f"session_{number}"
        number += 1
    return "session_1"


def _check_names(element: Any) -> None:
    """Refuse what cannot be an attribute of an element, or is one already, also with an ending that all get."""
    inside = {_name(node).replace("-", "_") for node in element.childNodes if node.nodeType == node.ELEMENT_NODE}
    taken = {*dir(element), *(f"{name}_obj" for name in inside), *("getValue", "setValue", "print", "exec")}
    for name in (_name(element).replace("-", "_"), *inside):
        if not (name.isascii() and name.isidentifier()) or keyword.iskeyword(name) or name in taken:
            raise UnseenError(f"no Python makes {name} an attribute")


def _name(element: Any) -> str:
    return str(element.nodeName).rpartition(":")[2]


def _all(parent: Any, tag: str) -> list[Any]:
    return [node for node in parent.childNodes if node.nodeType == node.ELEMENT_NODE and _name(node) == tag]


def _child(parent: Any, tag: str) -> Any:
    found = _all(parent, tag)
    if len(found) != 1:
        raise UnseenError(f"{len(found)} {tag}")
    return found[0]


def _leaf(parent: Any, tag: str) -> object:
    element = _child(parent, tag)
    if len(element.childNodes) != 1 or element.childNodes[0].nodeType != element.TEXT_NODE:
        raise UnseenError(f"{tag} is no leaf")
    return _cast(element.childNodes[0].data)


def _cast(text: str) -> object:
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            pass
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    if len(text) > 50 and _nesting(text) > 50:
        raise UnseenError("nested deeper than older Pythons read")
    try:
        value = ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text
    except Exception as error:  # Pythons differ in how such a text ends them: memory, recursion, a null byte
        raise UnseenError("a text that ends Python's own reader") from error
    return value if type(value) is {"[": list, "(": tuple, "{": dict}.get(text.strip()[0]) else text


def _nesting(text: str) -> int:
    """Return how many brackets are open at most."""
    depth = deepest = 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        deepest = max(deepest, depth)
    return deepest

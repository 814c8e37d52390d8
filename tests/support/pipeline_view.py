"""What the pipeline would see in a PPR: its rules once more, by another XML library and without our model.

Written from the behaviour that was observed of the real ``executeppr``: leaves
with one text node only, casts, contiguous SESSION keys, blocks without a session
in ``session_1``, commands up to the first without a ParameterSet.
"""

import ast
from dataclasses import dataclass
from typing import Any
from xml.dom import minidom


@dataclass(frozen=True)
class Seen:
    """Tasks with their parameters, the session of each ASDM, and the prefix of all products."""

    path: object
    mous_uid: str
    tasks: list[tuple[object, dict[object, object]]]
    sessions: dict[object, str]


def look(data: bytes) -> Seen:
    """Read a PPR as the pipeline does."""
    root = minidom.parseString(data).documentElement
    request = _child(_child(root, "ProcessingRequests"), "ProcessingRequest")
    block = _child(_child(_child(request, "DataSet"), "SchedBlockSet"), "SchedBlockIdentifier")
    intents = {
        _leaf(item, "Keyword"): _leaf(item, "Value") for item in _all(_child(request, "ProcessingIntents"), "Intents")
    }
    structure = _child(_child(root, "ProjectStructure"), "AlmaStructure")
    return Seen(
        path=_leaf(block, "RelativePath"),
        mous_uid=_child(structure, "OUSStatusRef").getAttribute("entityId"),
        tasks=_tasks(_child(request, "ProcessingProcedure")),
        sessions={name: _session(str(name), intents) for name in _disk_names(block)},
    )


def _tasks(procedure: Any) -> list[tuple[object, dict[object, object]]]:
    tasks = []
    for command in _all(procedure, "ProcessingCommand"):
        if not _all(command, "ParameterSet"):
            break
        parameters = _all(_child(command, "ParameterSet"), "Parameter")
        tasks.append((_leaf(command, "Command"), {_leaf(each, "Keyword"): _leaf(each, "Value") for each in parameters}))
    return tasks


def _disk_names(block: Any) -> list[object]:
    return [_leaf(asdm, "AsdmDiskName") for asdm in _all(block, "AsdmIdentifier")]


def _session(disk_name: str, intents: dict[object, object]) -> str:
    number = 1
    while (value := intents.get(f"SESSION_{number}")) is not None:
        if disk_name in str(value).replace(":", "_").replace("/", "_").split(" | "):
            return f"session_{number}"
        number += 1
    return "session_1"


def _all(parent: Any, tag: str) -> list[Any]:
    return [node for node in parent.childNodes if node.nodeType == 1 and node.nodeName.rpartition(":")[2] == tag]


def _child(parent: Any, tag: str) -> Any:
    (found,) = _all(parent, tag)
    return found


def _leaf(parent: Any, tag: str) -> object:
    element = _child(parent, tag)
    element.normalize()
    if len(element.childNodes) != 1 or element.childNodes[0].nodeType != 3:
        return ""
    return _cast(element.childNodes[0].data)


def _cast(text: str) -> object:
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            pass
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    return ast.literal_eval(text) if text[:1] in "[({" else text

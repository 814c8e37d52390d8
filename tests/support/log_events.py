"""The events that logs are made of, as the code writes them, and the page that lists them."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("alma_restore", "contracts", "observatory", "services", "shared")
NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)+")
_LEVELS = {"debug": "debug", "info": "info", "warning": "warning", "error": "error", "exception": "error"}
_HEAD = """# Log events

Generated from the code by `make reference`. Each entry of a log has one of these names under
`event`, with `level` and `timestamp`. What is bound by the work that it belongs to comes with it: in a handler
`service`, `topic`, `message_id`, `request_id`, `trace_id`, `mous_uid`, `eb_uid` and `attempt`; in a call over HTTP
`call_id`, `method`, `path`, `client` and `subject`. Names stay; fields may be added. `ALMA_RESTORE_LOG_FORMAT` is
`json` (one object a line) or `text` (for people). What follows, where the name does not say it, is the entry's
`consequence`.

| event | level | where | fields of its own | what follows |
|---|---|---|---|---|
"""


@dataclass(frozen=True)
class LogEvent:
    """An entry that a line of code writes.

    Attributes
    ----------
    name
        Its stable name; None if the code does not write it as a literal.
    place
        Module and line.
    """

    name: str | None
    level: str
    place: str
    fields: tuple[str, ...]
    consequence: str = ""

    @property
    def module(self) -> str:
        return self.place.partition(":")[0]


def log_events() -> list[LogEvent]:
    """Find all of them."""
    paths = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    return [event for path in paths for event in events_of(path.read_text(), str(path.relative_to(ROOT)))]


def events_of(source: str, module: str) -> Iterator[LogEvent]:
    """Find those of one module: calls of what is named ``log``."""
    tree = ast.parse(source)
    texts = {name: text for node in tree.body for name, text in _constants(node)}
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        match call.func:
            case ast.Attribute(value=ast.Name(id="log"), attr=attr) if attr in _LEVELS:
                for name in _names(call.args[0] if call.args else None):
                    yield LogEvent(name, _LEVELS[attr], f"{module}:{call.lineno}", *_rest(call, texts))


def page(events: list[LogEvent]) -> str:
    """Write the reference: one row for a name, whoever writes it."""
    by_name = defaultdict[str, list[LogEvent]](list)
    for event in events:
        by_name[str(event.name)].append(event)
    return _HEAD + "".join(_row(name, by_name[name]) for name in sorted(by_name))


def _row(name: str, events: list[LogEvent]) -> str:
    levels = ", ".join(sorted({event.level for event in events}))
    modules = ", ".join(sorted({f"`{event.module}`" for event in events}))
    fields = ", ".join(f"`{field}`" for field in sorted({field for event in events for field in event.fields}))
    follows = "; ".join(sorted({event.consequence for event in events} - {""}))
    return f"| `{name}` | {levels} | {modules} | {fields} | {follows} |\n"


def _names(argument: ast.expr | None) -> Iterator[str | None]:
    match argument:
        case ast.Constant(value=str() as name):
            yield name
        case ast.IfExp(body=one, orelse=other):
            yield from _names(one)
            yield from _names(other)
        case _:
            yield None


def _rest(call: ast.Call, texts: dict[str, str]) -> tuple[tuple[str, ...], str]:
    """Return the names of an entry's fields, and what it says to follow."""
    fields = tuple(word.arg for word in call.keywords if word.arg not in (None, "exc_info", "consequence"))
    said = next((word.value for word in call.keywords if word.arg == "consequence"), None)
    match said:
        case ast.Constant(value=str() as text):
            return tuple(filter(None, fields)), text
        case ast.Name(id=name):
            return tuple(filter(None, fields)), texts.get(name, "")
    return tuple(filter(None, fields)), ""


def _constants(node: ast.stmt) -> Iterator[tuple[str, str]]:
    match node:
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str() as text)):
            yield name, text

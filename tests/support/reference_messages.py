"""Writes the reference page of messages from the contracts."""

from collections.abc import Iterator
from typing import Any

from contracts.flow import LISTENERS, QUEUES, SAID_BY
from contracts.messages import Message, known_types
from contracts.reasons import ReasonCode

_HEAD = """# Messages

Generated from the contracts by `make reference`. Every message is a CloudEvents 1.0 event in structured JSON mode; what
is below stands under its `data`. The topic is the routing key on the exchange `alma-restore.events`. A message only
grows: members are added as optional ones, and whoever reads ignores members that are not known. "Said by" names what
the event's `source` ends with. Besides those who hear a topic, a request desk that keeps a ledger records every event.
For programs there are the [JSON Schemas](../../contracts/schemas) and [AsyncAPI](../../contracts/asyncapi.json);
[how to speak from another program](../submitting.md).

| topic | versions | said by | heard by | what it says |
|---|---|---|---|---|
"""
_FIELDS = "| field | type | needed | meaning |\n|---|---|---|---|\n"
_FORMATS = {"uuid": "UUID", "date-time": "date and time"}
_LIMITS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}


def messages_page() -> str:
    """Return the page."""
    classes = sorted(known_types().values(), key=lambda cls: ([*SAID_BY].index(cls.topic), cls.version))
    schemas = {cls: cls.model_json_schema(mode="validation") for cls in classes}
    parts = {name: part for schema in schemas.values() for name, part in schema.get("$defs", {}).items()}
    parts.pop(ReasonCode.__name__)
    return (
        _HEAD
        + "".join(_row(topic, [cls for cls in classes if cls.topic == topic]) for topic in SAID_BY)
        + "\n## In the order of a request's way\n"
        + "".join(_message(cls, schema) for cls, schema in schemas.items())
        + "\n## What messages are made of\n"
        + "".join(_part(name, parts[name]) for name in sorted(parts))
    )


def _row(topic: str, versions: list[type[Message]]) -> str:
    hearers = ", ".join([*(name for name, topics in QUEUES.items() if topic in topics), *LISTENERS.get(topic, ())])
    numbers = ", ".join(str(cls.version) for cls in versions)
    meaning = _cell(_text(versions[-1].__doc__ or "").partition("\n")[0])
    return f"| `{topic}` | {numbers} | {', '.join(SAID_BY[topic])} | {hearers} | {meaning} |\n"


def _message(cls: type[Message], schema: dict[str, Any]) -> str:
    return f"\n### {cls.type_name()}\n\n{_text(cls.__doc__ or '')}\n\n{_table(schema)}"


def _part(name: str, schema: dict[str, Any]) -> str:
    text = _text(schema.get("description", ""))
    if "enum" in schema:
        return f"\n### {name}\n\n{text}\n\nOne of {', '.join(f'`{value}`' for value in schema['enum'])}.\n"
    return f"\n### {name}\n\n{text}\n\n{_table(schema)}"


def _table(schema: dict[str, Any]) -> str:
    needed = schema.get("required", [])
    rows = (
        f"| `{name}` | {_cell(type_text(field))} | {'yes' if name in needed else 'no'} | {_meaning(field)} |\n"
        for name, field in schema["properties"].items()
    )
    return _FIELDS + "".join(rows)


def _meaning(field: dict[str, Any]) -> str:
    found = [field, *(one for one in field.get("anyOf", []))]
    return _cell(next((one["description"] for one in found if "description" in one), ""))


def type_text(field: dict[str, Any]) -> str:
    """Say what a JSON Schema allows.

    Raises
    ------
    ValueError
        If it allows what this page has no words for.
    """
    match field:
        case {"$ref": ref}:
            name = str(ref).rpartition("/")[2]
            return f"[{name}]({'reasons.md' if name == ReasonCode.__name__ else '#' + name.lower()})"
        case {"anyOf": several}:
            return " or ".join(type_text(one) for one in several if one != {"type": "null"})
        case {"type": "array", "items": items}:
            return f"list{_size(field, 'minItems', 'maxItems', 'items')} of {type_text(items)}"
        case {"type": "string", "format": text_format}:
            return _FORMATS[text_format]
        case {"type": "string", "pattern": pattern}:
            return f"text like `{pattern}`{_size(field, 'minLength', 'maxLength', 'characters')}"
        case {"type": "string"}:
            return f"text{_size(field, 'minLength', 'maxLength', 'characters')}"
        case {"type": "integer" | "number" as kind}:
            return " ".join([kind, *(f"{sign} {field[word]:g}" for word, sign in _LIMITS.items() if word in field)])
        case {"type": "boolean"}:
            return "true or false"
    raise ValueError(f"no words for {field}")


def _size(field: dict[str, Any], least: str, most: str, unit: str) -> str:
    limits = [f"{sign} {field[word]}" for word, sign in ((least, "≥"), (most, "≤")) if word in field]
    return f" ({', '.join(limits)} {unit})" if limits else ""


def _text(docstring: str) -> str:
    return "\n".join(_lines(docstring))


def _lines(docstring: str) -> Iterator[str]:
    for line in docstring.strip().splitlines():
        yield line.strip().replace("``", "`")


def _cell(text: str) -> str:
    """Write a text so that it stays in its cell."""
    one_line = text.replace("\n", " ").replace("|", "\\|")
    return one_line if "`" in text else one_line.replace("<", "&lt;")

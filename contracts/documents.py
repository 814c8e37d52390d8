"""Write the contracts for readers in other languages: JSON Schemas and an AsyncAPI document.

``python -m contracts.documents`` writes them beside this file; with ``--check``
it only tells which of them are out of date and exits 1 if any is.
"""

import json
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from contracts.envelope import CONTENT_TYPE, Event
from contracts.flow import QUEUES
from contracts.malformed import MALFORMED, TOPIC, MalformedAnswer
from contracts.messages import Message, known_types

FOLDER = Path(__file__).parent
_DRAFT = "https://json-schema.org/draft/2020-12/schema"


def documents() -> dict[Path, str]:
    """Return the text of every generated document by its path."""
    texts = {FOLDER / "schemas" / f"{name}.json": _schema(cls) for name, cls in sorted(known_types().items())}
    texts[FOLDER / "schemas" / f"{MALFORMED}.json"] = _schema_of_answer()
    texts[FOLDER / "asyncapi.json"] = _asyncapi()
    return {path: json.dumps(value, indent=2, ensure_ascii=False) + "\n" for path, value in texts.items()}


def _schema(cls: type[Message]) -> dict[str, Any]:
    """Describe a whole event, as it stands in a message's body."""
    envelope = Event.model_json_schema(mode="validation")
    data = cls.model_json_schema(mode="validation")
    definitions = data.pop("$defs", {})
    properties = envelope["properties"] | {"type": {"const": cls.type_name()}, "data": data}
    plain_senders_give = ["specversion", "id", "source", "type", "data"]
    return {
        "$schema": _DRAFT,
        "$id": f"urn:alma-restore:{cls.type_name()}",
        "title": cls.type_name(),
        "description": _first_line(cls),
        "type": "object",
        "properties": properties,
        "required": plain_senders_give,
        "$defs": definitions,
    }


def _schema_of_answer() -> dict[str, Any]:
    """Describe the answer that a sender gets for a message that cannot be read."""
    answer = MalformedAnswer.model_json_schema(mode="serialization")
    return {
        "$schema": _DRAFT,
        "$id": f"urn:alma-restore:{MALFORMED}",
        **answer,
        "title": MALFORMED,
        "description": _first_line(MalformedAnswer),
    }


def _first_line(cls: type[BaseModel]) -> str:
    return (cls.__doc__ or "").strip().splitlines()[0]


def _asyncapi() -> dict[str, Any]:
    topics = {cls.topic: (name, cls) for name, cls in sorted(known_types().items())}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "alma-restore events",
            "version": "1",
            "description": "Events on the topic exchange. Send request.submitted to ask for a restore; "
            "bind a queue to any other topic to follow it.",
        },
        "defaultContentType": CONTENT_TYPE,
        "channels": {topic: _channel(topic, name) for topic, (name, _) in topics.items()}
        | {TOPIC: _channel_of_answer()},
        "operations": _operations(),
        "components": {
            "messages": {name: _message(name, cls) for name, cls in topics.values()}
            | {MALFORMED: _message(MALFORMED, MalformedAnswer)}
        },
    }


def _message(name: str, cls: type[BaseModel]) -> dict[str, Any]:
    return {
        "name": name,
        "summary": _first_line(cls),
        "contentType": CONTENT_TYPE,
        "payload": {
            "schemaFormat": "application/schema+json;version=draft-2020-12",
            "schema": {"$ref": f"schemas/{name}.json"},
        },
    }


def _channel(topic: str, name: str) -> dict[str, Any]:
    return {
        "address": topic,
        "messages": {name: {"$ref": f"#/components/messages/{name}"}},
        "bindings": {"amqp": {"is": "routingKey", "exchange": {"name": "alma-restore.events", "type": "topic"}}},
    }


def _channel_of_answer() -> dict[str, Any]:
    """Describe the queue of a sender, whose name only its message tells."""
    return {
        "address": None,
        "description": "Your own queue, which the property reply_to of your message names; over the default exchange",
        "messages": {MALFORMED: {"$ref": f"#/components/messages/{MALFORMED}"}},
    }


def _operations() -> dict[str, Any]:
    return {
        f"{service}:{topic}": {
            "action": "receive",
            "channel": {"$ref": f"#/channels/{topic}"},
            "summary": f"{service} handles {topic}",
            "reply": {
                "address": {"location": "$message.header#/reply_to"},
                "channel": {"$ref": f"#/channels/{TOPIC}"},
            },
        }
        for service, topics in QUEUES.items()
        for topic in topics
    }


def main(arguments: list[str]) -> int:
    """Write the documents, or with ``--check`` say which are out of date."""
    outdated = [path for path, text in documents().items() if not path.exists() or path.read_text() != text]
    if "--check" in arguments:
        for path in outdated:
            print(f"out of date: {path.relative_to(FOLDER.parent)} (run: make contracts)")
        return 1 if outdated else 0
    (FOLDER / "schemas").mkdir(exist_ok=True)
    for path in outdated:
        path.write_text(documents()[path])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

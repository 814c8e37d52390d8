"""Who says a topic is what the code says, and whoever listens hears somebody."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.flow import LISTENERS, OUTSIDE, QUEUES, SAID_BY
from contracts.messages import known_types
from contracts.messages.parts import RestoreRequest
from shared.not_restorable import RefusedYet, restorable
from tests.support.samples import REQUEST, WHEN

ROOT = Path(__file__).parents[3]
TOPICS = {cls.__name__: cls.topic for cls in known_types().values()}
BLOCKS_END = (ROOT / "shared" / "outcomes.py").read_text()


def said_in(source: str) -> Iterator[str]:
    """Find the topics of the messages that a module makes, and of those that its blocks' outcomes make."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in TOPICS:
                yield TOPICS[name]
            case ast.ImportFrom(module="shared.outcomes"):
                yield from said_in(BLOCKS_END)


def said_first_in(source: str) -> Iterator[tuple[str, str]]:
    """Find the topics that begin something, each with the source that the code names."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(
                func=ast.Attribute(attr="first"),
                args=[ast.Call(func=ast.Name(id=name))],
                keywords=[ast.keyword(arg="source", value=ast.Call(args=[ast.Constant(value=str(who))]))],
            ):
                yield TOPICS[name], who


def said_by(who: str) -> set[str]:
    return {topic for topic, sayers in SAID_BY.items() if who in sayers}


@pytest.mark.parametrize("service", QUEUES)
def test_a_service_says_what_its_code_makes(service: str) -> None:
    made = {
        topic
        for path in (ROOT / "services" / service.replace("-", "_")).rglob("*.py")
        for topic in said_in(path.read_text())
    }
    assert said_by(service) - {"request.waiting"} == made


def test_whoever_handles_what_names_a_request_says_that_it_waits() -> None:
    name_one = {
        cls.topic
        for cls in known_types().values()
        if (field := cls.model_fields.get("request")) is not None and field.annotation is RestoreRequest
    }
    assert set(SAID_BY["request.waiting"]) == {name for name, topics in QUEUES.items() if name_one & set(topics)}


def test_listeners_are_the_services_that_hear() -> None:
    (topics,) = re.findall(
        r"listen\(service\.hear, topics=\((\w+)\.topic,\)\)", (ROOT / "shared" / "runtime.py").read_text()
    )
    hearing = {
        path.parent.name.replace("_", "-")
        for path in (ROOT / "services").glob("*/service.py")
        if "    def hear(self" in path.read_text()
    }
    assert {topic: set(names) for topic, names in LISTENERS.items()} == {TOPICS[topics]: hearing}


def test_commands_say_what_their_code_makes() -> None:
    found = {pair for path in (ROOT / "alma_restore").rglob("*.py") for pair in said_first_in(path.read_text())}
    event = restorable(RefusedYet(request=REQUEST, detail="", since=WHEN))
    found.add((event.topic, event.source.rpartition("/")[2]))
    commands = {who for sayers in SAID_BY.values() for who in sayers} - {*QUEUES, OUTSIDE}
    assert {(topic, who) for who in commands for topic in said_by(who)} == found


def test_every_topic_is_said_by_somebody() -> None:
    assert set(SAID_BY) == set(TOPICS.values())
    assert all(SAID_BY.values())

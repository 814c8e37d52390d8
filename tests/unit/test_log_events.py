"""Log entries are events with stable names."""

import re

import pytest

from tests.support.log_events import NAME, PACKAGES, ROOT, events_of, log_events

EVENTS = log_events()


def test_every_entry_has_a_literal_name_in_snake_case() -> None:
    assert EVENTS
    assert [event.place for event in EVENTS if event.name is None or NAME.fullmatch(event.name) is None] == []


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ('log.info(f"request_{name}")', [None]),
        ("log.info(name, by=by)", [None]),
        ('log.warning("waits" if late else "given_up", reason=reason)', ["waits", "given_up"]),
        ('other.info("not_ours")', []),
    ],
)
def test_what_is_no_literal_is_found_as_such(line: str, names: list[str | None]) -> None:
    assert [event.name for event in events_of(line, "m.py")] == names


def test_fields_and_consequences_are_those_of_the_call() -> None:
    source = '_LATER = "it waits"\nlog.error("bus_away", link=name, exc_info=error, consequence=_LATER)\n'
    (event,) = events_of(source, "m.py")
    assert (event.level, event.fields, event.consequence) == ("error", ("link",), "it waits")


def test_every_logger_has_the_name_by_which_entries_are_found() -> None:
    made = re.compile(r"^(\w+)\s*(?::[^=]+)?=\s*structlog\.get_logger\(", re.MULTILINE)
    named = {
        name
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        for name in made.findall(path.read_text())
    }
    assert named == {"log"}

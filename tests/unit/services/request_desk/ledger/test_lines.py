"""What the timeline of a request says of an event in one line."""

import pytest

from contracts.envelope import Event
from contracts.identifiers import ExecBlockUid, SessionName
from contracts.messages import StructureResolved
from contracts.messages.parts import Session
from services.request_desk.ledger.facts import fact_of
from services.request_desk.ledger.lines import line_of
from tests.support.samples import REQUEST, STRUCTURE


@pytest.mark.parametrize(
    ("blocks", "said"),
    [
        ((1,), "1 execution block in 1 session"),
        ((2, 2), "4 execution blocks in 2 sessions"),
        ((3, 0, 1), "4 execution blocks in 3 sessions, 1 of them empty"),
    ],
)
def test_blocks_and_sessions_are_counted_and_an_empty_session_is_told(blocks: tuple[int, ...], said: str) -> None:
    sessions = tuple(
        Session(
            name=SessionName.numbered(number),
            execution_blocks=tuple(ExecBlockUid(f"uid://A002/X{number}/X{each}") for each in range(count)),
        )
        for number, count in enumerate(blocks, start=1)
    )
    message = StructureResolved(request=REQUEST, structure=STRUCTURE.model_copy(update={"sessions": sessions}))
    assert line_of(fact_of(Event.first(message, source="/test"))) == said

"""What the timeline of a request says of an event in one line."""

import pytest

from contracts.envelope import Event
from contracts.identifiers import ExecBlockUid, SessionName
from contracts.messages import FetchProgressed, MailSent, Message, RestoreCompleted, StructureResolved
from contracts.messages.parts import Session
from services.request_desk.ledger.facts import fact_of
from services.request_desk.ledger.lines import line_of
from tests.support.samples import REQUEST, SAMPLES, STRUCTURE


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


@pytest.mark.parametrize(
    ("kind", "changes", "said"),
    [
        (FetchProgressed, {"bytes_done": 39_090, "bytes_total": 7_356_614}, "Fetched 39.1 kB of 7.4 MB"),
        (MailSent, {"kind": "failed", "recipients": 2, "refused": 0}, "Mail (failed) to 2 recipients"),
        (
            MailSent,
            {"kind": "delivered", "recipients": 1, "refused": 1},
            "Mail (delivered) to 1 recipient, 1 will never have it",
        ),
    ],
)
def test_sizes_and_counts_are_said_as_people_read_them(
    kind: type[Message], changes: dict[str, object], said: str
) -> None:
    sample = next(each for each in SAMPLES if isinstance(each, kind))
    message = kind.model_validate(sample.model_dump() | changes)
    assert line_of(fact_of(Event.first(message, source="/test"))) == said


def test_a_restored_block_is_told_with_the_size_of_its_tar() -> None:
    done = next(each for each in SAMPLES if isinstance(each, RestoreCompleted))
    tar = done.block.tar.model_copy(update={"size": 8_980_480})
    message = done.model_copy(update={"block": done.block.model_copy(update={"tar": tar})})
    assert line_of(fact_of(Event.first(message, source="/test"))).endswith("): 9.0 MB")

"""People cancel requests and send them on again, never silently."""

from uuid import UUID

import pytest

from contracts.envelope import Event
from contracts.messages import RequestCancelled, RequestResent
from services.request_desk.ledger.acting import (
    RequestOverError,
    UnknownRequestError,
    cancel_request,
    take_up_again,
    try_now,
)
from services.request_desk.ledger.states import RequestState
from services.request_desk.ledger.store import SqlLedger
from shared import cancellation
from shared.objects import ObjectStore
from tests.support.samples import REQUEST
from tests.support.stories import BLOCKS, Story, stories

ID = REQUEST.request_id


class Said(list[Event]):
    """What was published."""

    def __call__(self, events: object) -> None:
        assert isinstance(events, list)
        self.extend(events)


def test_cancelling_puts_the_mark_and_says_so_in_the_trace_of_the_request(
    ledger: SqlLedger, objects: ObjectStore
) -> None:
    story, said = Story(), Said()
    ledger.record_all([story.submitted()])
    event = cancel_request(ID, by="vrubin", reason="a mistake", ledger=ledger, objects=objects, publish=said)
    assert said == [event]
    assert event.data == RequestCancelled(request_id=ID, mous_uid=REQUEST.mous_uid, by="vrubin", reason="a mistake")
    assert event.correlationid == ID
    assert event.traceparent.split("-")[1] == story.events[0].traceparent.split("-")[1]
    assert cancellation.Cancellations(objects=objects).is_marked(ID)
    ledger.record(event)
    record = ledger.request(ID)
    assert record is not None
    assert (record.state, record.cancelled_by, record.missing_causes) == (RequestState.CANCELLED, "vrubin", ())


def test_what_is_over_or_unknown_is_not_cancelled(ledger: SqlLedger, objects: ObjectStore) -> None:
    story, said = Story(), Said()
    story.delivered()
    ledger.record_all(story.events)
    with pytest.raises(RequestOverError, match="is delivered"):
        cancel_request(ID, by="vrubin", ledger=ledger, objects=objects, publish=said)
    with pytest.raises(UnknownRequestError):
        cancel_request(UUID(int=9), by="vrubin", ledger=ledger, objects=objects, publish=said)
    assert said == []
    assert not cancellation.Cancellations(objects=objects).is_marked(ID)


def test_what_nothing_followed_is_sent_on_with_its_own_ids_and_a_word_of_who_and_why(ledger: SqlLedger) -> None:
    story, said = Story(blocks=BLOCKS[:1]), Said()
    order = story.ordered(story.fetched(story.resolved(), BLOCKS[0]), BLOCKS[0])
    ledger.record_all(story.events)
    assert try_now(ID, by="operator", reason="the runner is back", ledger=ledger, publish=said) == (order.id,)
    resent, again = said
    assert again == order
    assert resent.data == RequestResent(
        request_id=ID, mous_uid=REQUEST.mous_uid, by="operator", reason="the runner is back", events=(order.id,)
    )
    ledger.record_all(said)
    record = ledger.request(ID)
    assert record is not None
    assert [(each.by, each.reason, each.events) for each in record.resent] == [
        ("operator", "the runner is back", (order.id,))
    ]
    assert record.blocks[0].moved == order.time


def test_it_can_be_tried_twice_and_each_time_is_told(ledger: SqlLedger) -> None:
    said = Said()
    ledger.record_all([Story().submitted()])
    for _ in range(2):
        try_now(ID, by="operator", reason="again", ledger=ledger, publish=said)
    ledger.record_all(said)
    record = ledger.request(ID)
    assert record is not None
    assert len(record.resent) == 2


def test_nothing_of_a_delivered_request_is_sent_on(ledger: SqlLedger) -> None:
    story, said = Story(), Said()
    story.delivered()
    ledger.record_all(story.events)
    with pytest.raises(RequestOverError):
        try_now(ID, by="operator", reason="", ledger=ledger, publish=said)
    assert said == []


def test_what_was_unfinished_is_taken_up_again_and_nothing_else(ledger: SqlLedger) -> None:
    said = Said()
    told = list(stories([UUID(int=number) for number in range(1, 6)]))
    ledger.record_all([event for story in told for event in story.events])
    assert take_up_again(ledger=ledger, publish=said) == 1
    assert [event.topic for event in said] == ["request.resent", "products.ready"]
    assert {event.correlationid for event in said} == {UUID(int=5)}

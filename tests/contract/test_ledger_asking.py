"""What can be asked of the ledger: lists, filters, counts; on SQLite and on PostgreSQL."""

from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from contracts.envelope import Event
from contracts.messages import ProductsReady, ReleaseGranted, RequestAccepted, RequestSubmitted, StructureResolved
from contracts.messages.parts import Entitlement
from services.request_desk.ledger.asking import BadCursorError
from services.request_desk.ledger.records import Page, RequestFilter
from services.request_desk.ledger.states import BlockState, RequestState, Step
from services.request_desk.ledger.store import SqlLedger
from tests.contract.ledger_harness import LedgerHarness, sqlite_url
from tests.support.samples import BLOCK, REQUEST
from tests.support.stories import BEGAN, BLOCKS, Story, stories

ID = REQUEST.request_id
IDS = tuple(UUID(int=number) for number in range(1, 11))


def test_requests_are_listed_page_by_page_the_newest_first(ledger: SqlLedger) -> None:
    ledger.record_all([event for story in stories(IDS) for event in story.events])
    first = ledger.requests(page=Page(size=4))
    second = ledger.requests(page=Page(size=4, cursor=first.next_cursor))
    last = ledger.requests(page=Page(size=4, cursor=second.next_cursor))
    assert [record.id for page in (first, second, last) for record in page.requests] == list(reversed(IDS))
    assert (first.total, last.next_cursor) == (10, None)


def test_a_cursor_that_no_list_gave_is_refused(ledger: SqlLedger) -> None:
    with pytest.raises(BadCursorError, match="none of a list"):
        ledger.requests(page=Page(cursor="x'; DROP TABLE requests"))


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (RequestFilter(states=frozenset({RequestState.REFUSED})), 2),
        (RequestFilter(active=True), 2),
        (RequestFilter(active=False), 8),
        (RequestFilter(owner_email="VERA@example.org"), 10),
        (RequestFilter(owner_email="other@example.org", owner_account="vrubin"), 10),
        (RequestFilter(owner_account="other"), 0),
        (RequestFilter(text="rubin"), 10),
        (RequestFilter(text="100%"), 0),
        (RequestFilter(project="2017.1.00886.L", mous="uid://A001/X1284/X265f", ticket="16140"), 10),
        (RequestFilter(ticket="1"), 0),
        (RequestFilter(steps=frozenset({Step.RELEASE})), 2),
        (RequestFilter(stuck=True), 2),
        (RequestFilter(stuck=False), 8),
        (RequestFilter(with_illegal_moves=True), 0),
        (RequestFilter(submitted_since=BEGAN + timedelta(hours=5)), 5),
        (RequestFilter(submitted_before=BEGAN + timedelta(hours=5)), 5),
    ],
)
def test_requests_are_found_by_what_is_asked_for(
    ledger_harness: LedgerHarness, wanted: RequestFilter, found: int
) -> None:
    ledger = ledger_harness.open()
    ledger.record_all([event for story in stories(IDS) for event in story.events])
    ledger_harness.time = BEGAN + timedelta(days=1)
    page = ledger.requests(wanted)
    assert (len(page.requests), page.total) == (found, found)


def test_counts_tell_states_steps_and_the_oldest(ledger: SqlLedger) -> None:
    told = list(stories(IDS[:5]))
    ledger.record_all([event for story in told for event in story.events])
    counts = ledger.counts()
    assert counts.requests == {
        RequestState.REMOVED: 1, RequestState.FAILED: 1, RequestState.REFUSED: 1, RequestState.DELIVERED: 1,
        RequestState.READY: 1,
    }  # fmt: skip
    assert counts.blocks == {BlockState.RESTORED: 1 + 1 + 4 + 1, BlockState.FAILED: 1}
    assert counts.steps == {Step.RELEASE: 1}
    assert len(ledger.delivery_seconds(BEGAN - timedelta(days=1))) == 2
    assert counts.oldest == {RequestState.READY: told[4].events[0].time}
    assert (counts.stuck, counts.illegal_moves) == (0, 0)


def test_what_was_said_last_waits_for_the_service_that_takes_it_until_that_has_begun(ledger: SqlLedger) -> None:
    story, first, second = Story(), *BLOCKS[:2]

    def waits(*said: Event) -> dict[str, datetime]:
        ledger.record_all(said)
        return dict(ledger.waiting_since())

    submitted = story.submitted()
    assert waits(submitted) == {"entitlement-checker": submitted.time}
    accepted = story.say(RequestAccepted(request=story.request, entitlement=Entitlement.PI))
    assert waits(accepted) == {"metadata-resolver": accepted.time}
    structure = story.say(StructureResolved(request=story.request, structure=story.structure))
    assert waits(structure) == {"ngas-fetcher": structure.time}
    *progress, one = [story.fetched(structure, first), *story.events[3:]][1:]
    assert waits(*progress) == {}, "a block that is not begun yet waits for nobody else"
    assert waits(one) == {"ppr-builder": one.time}
    ordered = story.ordered(one, first)
    assert waits(ordered) == {"casa-runner": ordered.time}
    story.fetched(structure, second)
    other = story.ordered(story.events[-1], second)
    assert waits(*story.events) == {"casa-runner": ordered.time}
    begun = story.started(ordered, first)
    assert waits(begun) == {"casa-runner": other.time}, "one that is restored since long hides none that waits"
    assert waits(story.started(other, second)) == {}
    last = story.restored(other, second)
    assert waits(story.restored(ordered, first), last) == {}
    ready = story.say(ProductsReady(request=story.request, blocks=(BLOCK,)), cause=last)
    assert waits(ready) == {"entitlement-checker": ready.time}
    granted = story.say(ReleaseGranted(request=story.request, blocks=(BLOCK,)), cause=ready)
    assert waits(granted) == {"notifier": granted.time}


def test_of_many_that_wait_the_oldest_is_told_and_none_whose_mail_went_out(ledger: SqlLedger) -> None:
    told = [Story(request_id=request_id, began=BEGAN + timedelta(days=n)) for n, request_id in enumerate(IDS)]
    for story in told[3:]:
        structure = story.resolved()
        for eb_uid in story.blocks:
            story.ordered(story.fetched(structure, eb_uid), eb_uid)
    for story in told[:2]:
        story.refused()
    *_, refused, _mail = told[1].events
    told[1].events.pop()
    ledger.record_all([event for story in reversed(told) for event in story.events])
    ordered = min(event.time for event in told[3].events if event.topic == "restore.ordered")
    assert ledger.waiting_since() == {"notifier": refused.time, "casa-runner": ordered}


def test_requests_under_way_are_counted_by_whose_they_are(ledger: SqlLedger) -> None:
    ledger.record_all([event for story in stories(IDS) for event in story.events])
    (owner,) = ledger.under_way()
    assert ledger.under_way() == {owner: ledger.requests(RequestFilter(active=True)).total}
    lone = REQUEST.model_copy(update={"request_id": UUID(int=99), "user_account": None, "user_email": "Ab@example.org"})
    ledger.record(Event.first(RequestSubmitted(request=lone), source="/x"))
    assert ledger.under_way() == {owner: 2, "ab@example.org": 1}


def test_what_was_said_since_a_moment_is_counted_by_topic(ledger: SqlLedger) -> None:
    story = Story()
    story.refused()
    ledger.record_all(story.events)
    assert ledger.rates(story.events[-2].time) == {"request.refused": 1, "mail.sent": 1}
    assert sum(ledger.rates(BEGAN).values()) == 3


def test_a_ledger_that_hears_of_all_much_later_counts_and_times_the_same(
    ledger_harness: LedgerHarness, ledger: SqlLedger, tmp_path: Path
) -> None:
    events = [event for story in stories(IDS[:5]) for event in story.events]
    ledger.record_all(events)
    later = LedgerHarness(sqlite_url(tmp_path / "later"))
    later.time = BEGAN + timedelta(days=9)
    anew = later.open()
    anew.record_all(events)
    for since in (BEGAN, events[len(events) // 2].time, later.time):
        assert anew.rates(since) == ledger.rates(since)
        assert sorted(anew.delivery_seconds(since)) == sorted(ledger.delivery_seconds(since))
    assert len(ledger.delivery_seconds(BEGAN)) == 2
    assert max(ledger.delivery_seconds(BEGAN)) < 86400
    later.close()

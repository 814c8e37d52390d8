"""What the ledger promises, on SQLite and on PostgreSQL."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from random import Random
from threading import Event as Flag
from threading import Thread
from uuid import UUID

import pytest

from contracts.envelope import Event
from contracts.messages import MailSent, RequestSubmitted, TicketSubmitted
from contracts.messages.parts import MailKind
from services.request_desk.ledger.asking import BadCursorError
from services.request_desk.ledger.base import Ledger
from services.request_desk.ledger.records import DownloadRecord, Page, RequestFilter, RequestRecord
from services.request_desk.ledger.states import BlockState, RequestState, Step
from services.request_desk.ledger.store import SqlLedger
from tests.contract.ledger_harness import LedgerHarness, postgresql_url, sqlite_url
from tests.support.samples import EVENT_ID, REQUEST, TICKET
from tests.support.stories import BEGAN, BLOCKS, Story, stories

ID = REQUEST.request_id
IDS = tuple(UUID(int=number) for number in range(1, 11))


@pytest.fixture(params=["sqlite", "postgresql"])
def harness(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LedgerHarness]:
    if request.param == "sqlite":
        opened = LedgerHarness(sqlite_url(tmp_path))
    else:
        opened = LedgerHarness(postgresql_url(request.getfixturevalue("postgres_server")))
    yield opened
    opened.close()


@pytest.fixture
def ledger(harness: LedgerHarness) -> SqlLedger:
    return harness.open()


def of_all(ledger: Ledger) -> dict[UUID, RequestRecord]:
    """Read all requests; the number of the change is how it came to be, not what it is."""
    page = ledger.requests(page=Page(size=1000))
    return {record.id: record.model_copy(update={"change": 0}) for record in page.requests}


def record_each(ledger: Ledger, events: list[Event]) -> None:
    for event in events:
        ledger.record(event)


def test_an_event_counts_once(ledger: SqlLedger) -> None:
    submitted = Story().submitted()
    assert ledger.record(submitted)
    assert not ledger.record(submitted)
    record = ledger.request(ID)
    assert record is not None
    assert (record.state, record.request, record.change) == (RequestState.SUBMITTED, REQUEST, 1)
    assert ledger.last_change() == 1


def test_nothing_is_known_of_a_request_that_nobody_spoke_of(ledger: SqlLedger) -> None:
    assert ledger.request(ID) is None
    assert ledger.timeline(ID) == ()
    assert ledger.event(EVENT_ID) is None
    assert ledger.unfinished(ID) == ()


def test_order_and_repetition_make_no_difference_to_the_tables(harness: LedgerHarness, tmp_path: Path) -> None:
    events = [event for story in stories(IDS[:3]) for event in story.events]
    in_order = harness.open()
    in_order.record_all(events)
    other = LedgerHarness(sqlite_url(tmp_path / "other"))
    shuffled = [*events, *events[::3]]
    Random(5).shuffle(shuffled)
    ledger = other.open()
    record_each(ledger, shuffled)
    assert of_all(ledger) == of_all(in_order)
    assert [line.id for line in ledger.timeline(IDS[1])] == [line.id for line in in_order.timeline(IDS[1])]
    assert ledger.counts() == in_order.counts()
    other.close()


def test_what_several_threads_record_at_once_is_all_there(harness: LedgerHarness, ledger: SqlLedger) -> None:
    events = [event for story in stories(IDS) for event in story.events]
    elsewhere = harness.open()
    parts = [(ledger if n % 2 else elsewhere, events[n::4] + events[n::7]) for n in range(4)]
    threads = [Thread(target=record_each, args=part) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    one_by_one = {story.request.request_id: len(story.events) for story in stories(IDS)}
    assert of_all(ledger).keys() == one_by_one.keys()
    assert all(not record.missing_causes for record in of_all(ledger).values())
    numbers = [change for change, _ in ledger.changes(0)]
    assert numbers == sorted(set(numbers))


def test_the_timeline_tells_each_event_as_it_was_said(harness: LedgerHarness, ledger: SqlLedger) -> None:
    whole = Story(blocks=BLOCKS[:1])
    whole.delivered()
    ledger.record_all(whole.events)
    timeline = ledger.timeline(ID)
    assert [line.topic for line in timeline if line.eb_uid is None] == [
        "request.submitted", "request.accepted", "structure.resolved", "products.ready", "release.granted",
        "delivery.announced", "mail.sent",
    ]  # fmt: skip
    assert (timeline[0].text, timeline[0].received) == ("Asked for by Vera Rubin", harness.time)
    assert '"user_name":"Vera Rubin"' in timeline[0].data
    assert {line.said for line in timeline} <= {event.time for event in whole.events}
    assert ledger.event(whole.events[2].id) == whole.events[2]


def test_of_progress_only_what_could_count_is_kept(ledger: SqlLedger) -> None:
    under_way = Story(blocks=BLOCKS[:1])
    structure = under_way.resolved()
    order = under_way.ordered(structure, BLOCKS[0])
    under_way.started(order, BLOCKS[0])
    for percent in range(50):
        under_way.progressed(order, BLOCKS[0], float(percent))
    ledger.record_all(under_way.events)
    assert [line.text for line in ledger.timeline(ID) if line.topic == "restore.progressed"] == ["applycal: 49 %"]


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
def test_requests_are_found_by_what_is_asked_for(harness: LedgerHarness, wanted: RequestFilter, found: int) -> None:
    ledger = harness.open()
    ledger.record_all([event for story in stories(IDS) for event in story.events])
    harness.time = BEGAN + timedelta(days=1)
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
    harness: LedgerHarness, ledger: SqlLedger, tmp_path: Path
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


def test_a_ticket_has_a_timeline_and_is_no_request(ledger: SqlLedger) -> None:
    ledger.record(Event.first(TicketSubmitted(request=TICKET), source="/x"))
    mail = MailSent(request_id=TICKET.request_id, kind=MailKind.REFUSED, mail_id=EVENT_ID, recipients=1)
    ledger.record(Event.first(mail, source="/x"))
    assert ledger.request(TICKET.request_id) is None
    assert [line.topic for line in ledger.timeline(TICKET.request_id)] == ["ticket.submitted", "mail.sent"]


def test_the_place_in_the_journal_lasts_with_the_events_and_never_goes_back(harness: LedgerHarness) -> None:
    first, second = harness.open(), harness.open()
    story = Story()
    story.refused()
    assert first.place() is None
    assert first.record_all(story.events[:2], place=8) == 2
    assert second.record_all(story.events, place=7) == 1
    assert second.place() == 8
    second.forget_place()
    assert first.place() is None


def test_what_cannot_be_taken_in_is_kept_and_counted_once(ledger: SqlLedger) -> None:
    for _ in range(2):
        ledger.note_unreadable(b"{", "not JSON")
        ledger.note_missed(3, 5)
    assert [(each.body, each.reason) for each in ledger.unreadable()] == [("{", "not JSON")]
    assert (ledger.counts().unreadable, ledger.counts().missed) == (1, 3)


def test_downloads_are_noted_in_their_order(ledger: SqlLedger) -> None:
    noted = [DownloadRecord(request_id=ID, file=name, at=BEGAN, by="vrubin") for name in ("b.tar", "a.tar")]
    for download in noted:
        ledger.note_download(download)
    assert ledger.downloads(ID) == tuple(noted)
    assert ledger.downloads(IDS[0]) == ()


def test_who_waits_hears_of_a_change_made_by_another_process(harness: LedgerHarness, ledger: SqlLedger) -> None:
    heard, flag = list[tuple[UUID, int]](), Flag()

    def watcher(request_id: UUID, change: int) -> None:
        heard.append((request_id, change))
        flag.set()

    end = ledger.watch(watcher, request_id=ID)
    story = Story()
    harness.open().record(story.submitted())
    assert flag.wait(5)
    end()
    assert heard[0] == (ID, 1)


def test_many_wait_for_one_change_without_a_thread_each(harness: LedgerHarness, ledger: SqlLedger) -> None:
    story = Story()
    ledger.record(story.submitted())

    async def all_wait() -> list[RequestRecord | None]:
        waiting = [asyncio.create_task(ledger.wait(ID, since=1, timeout=20)) for _ in range(200)]
        await asyncio.sleep(0)
        change = story.refused()
        await asyncio.to_thread(record_each, ledger, [story.events[-2], change])
        return await asyncio.gather(*waiting)

    found = asyncio.run(all_wait())
    assert {record.state for record in found if record} == {RequestState.REFUSED}
    assert len(found) == 200


def test_who_waits_gets_what_another_process_recorded(harness: LedgerHarness, ledger: SqlLedger) -> None:
    story, elsewhere = Story(), harness.open()
    elsewhere.record(story.submitted())
    story.refused()

    async def wait() -> RequestRecord | None:
        waiting = asyncio.create_task(ledger.wait(ID, since=1, timeout=20))
        await asyncio.to_thread(elsewhere.record_all, story.events[-2:])
        return await waiting

    record = asyncio.run(wait())
    assert record is not None
    assert (record.state, record.change) == (RequestState.REFUSED, 2)


def test_who_waits_in_vain_gets_what_there_is(ledger: SqlLedger) -> None:
    assert asyncio.run(ledger.wait(ID, since=0, timeout=0.05)) is None
    ledger.record(Story().submitted())
    record = asyncio.run(ledger.wait(ID, since=1, timeout=0.05))
    assert record is not None
    assert record.change == 1
    assert asyncio.run(ledger.wait(ID, since=0, timeout=60)) == record


def test_what_was_recorded_is_there_after_a_restart(harness: LedgerHarness) -> None:
    first = harness.open()
    first.record_all([event for story in stories(IDS[:3]) for event in story.events])
    before = of_all(first)
    first.close()
    assert of_all(harness.open()) == before

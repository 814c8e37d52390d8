"""What the ledger promises, on SQLite and on PostgreSQL."""

import asyncio
from pathlib import Path
from random import Random
from threading import Event as Flag
from threading import Thread
from uuid import UUID

from sqlalchemy import func, select, update

from contracts.envelope import Event
from contracts.messages import MailSent, TicketSubmitted
from contracts.messages.parts import MailKind
from services.request_desk.ledger.base import Ledger
from services.request_desk.ledger.database import asking, open_engine, reading, writing
from services.request_desk.ledger.records import DownloadRecord, Page, RequestRecord
from services.request_desk.ledger.states import RequestState
from services.request_desk.ledger.store import SqlLedger
from services.request_desk.ledger.tables import POSITION, REQUESTS
from shared.bus.following import Place
from tests.contract.ledger_harness import LedgerHarness, sqlite_url
from tests.support.samples import EVENT_ID, REQUEST, TICKET
from tests.support.stories import BEGAN, BLOCKS, Story, stories

ID = REQUEST.request_id
IDS = tuple(UUID(int=number) for number in range(1, 11))


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


def test_order_and_repetition_make_no_difference_to_the_tables(ledger_harness: LedgerHarness, tmp_path: Path) -> None:
    events = [event for story in stories(IDS[:3]) for event in story.events]
    in_order = ledger_harness.open()
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


def test_what_several_threads_record_at_once_is_all_there(ledger_harness: LedgerHarness, ledger: SqlLedger) -> None:
    events = [event for story in stories(IDS) for event in story.events]
    elsewhere = ledger_harness.open()
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


def test_the_timeline_tells_each_event_as_it_was_said(ledger_harness: LedgerHarness, ledger: SqlLedger) -> None:
    whole = Story(blocks=BLOCKS[:1])
    whole.delivered()
    ledger.record_all(whole.events)
    timeline = ledger.timeline(ID)
    assert [line.topic for line in timeline if line.eb_uid is None] == [
        "request.submitted", "request.accepted", "structure.resolved", "products.ready", "release.granted",
        "delivery.announced", "mail.sent",
    ]  # fmt: skip
    assert (timeline[0].text, timeline[0].received) == ("Asked for by Vera Rubin", ledger_harness.time)
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
    kept = [line.text for line in ledger.timeline(ID) if line.topic == "restore.progressed"]
    assert kept == ["applycal: 49 %, 2.0 kB written"]


def test_a_ticket_has_a_timeline_and_is_no_request(ledger: SqlLedger) -> None:
    ledger.record(Event.first(TicketSubmitted(request=TICKET), source="/x"))
    mail = MailSent(request_id=TICKET.request_id, kind=MailKind.REFUSED, mail_id=EVENT_ID, recipients=1)
    ledger.record(Event.first(mail, source="/x"))
    assert ledger.request(TICKET.request_id) is None
    assert [line.topic for line in ledger.timeline(TICKET.request_id)] == ["ticket.submitted", "mail.sent"]


def test_the_place_in_the_journal_lasts_with_the_events_and_never_goes_back(ledger_harness: LedgerHarness) -> None:
    first, second = ledger_harness.open(), ledger_harness.open()
    story = Story()
    story.refused()
    assert first.place() is None
    assert first.record_all(story.events[:2], place=Place(8, "8f")) == 2
    assert second.record_all(story.events, place=Place(7, "7f")) == 1
    assert second.place() == Place(8, "8f")
    second.forget_place()
    assert first.place() is None


def test_a_place_to_which_an_earlier_release_moved_has_no_digest_until_it_is_moved_again(
    ledger_harness: LedgerHarness,
) -> None:
    ledger, engine = ledger_harness.open(), open_engine(ledger_harness.url)
    ledger.record_all([Story().submitted()], place=Place(8, "8f"))
    with writing(engine) as connection:
        connection.execute(update(POSITION).values(place=9))
    engine.dispose()
    assert ledger.place() == Place(9)
    ledger.record_all((), place=Place(10, "10f"))
    assert ledger.place() == Place(10, "10f")


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


def test_who_waits_hears_of_a_change_made_by_another_process(ledger_harness: LedgerHarness, ledger: SqlLedger) -> None:
    heard, flag = list[tuple[UUID, int]](), Flag()

    def watcher(request_id: UUID, change: int) -> None:
        heard.append((request_id, change))
        flag.set()

    end = ledger.watch(watcher, request_id=ID)
    story = Story()
    ledger_harness.open().record(story.submitted())
    assert flag.wait(5)
    end()
    assert heard[0] == (ID, 1)


def test_many_wait_for_one_change_without_a_thread_each(ledger_harness: LedgerHarness, ledger: SqlLedger) -> None:
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


def test_who_waits_gets_what_another_process_recorded(ledger_harness: LedgerHarness, ledger: SqlLedger) -> None:
    story, elsewhere = Story(), ledger_harness.open()
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


def test_a_look_sees_one_state_though_others_record_meanwhile(ledger_harness: LedgerHarness) -> None:
    one, other = (story.events for story in stories(IDS[:2]))
    ledger, engine = ledger_harness.open(), open_engine(ledger_harness.url)
    ledger.record_all(one)
    known = select(func.count()).select_from(REQUESTS)
    with reading(engine) as connection:
        assert connection.execute(known).scalar() == 1
        ledger.record_all(other)
        assert connection.execute(known).scalar() == 1
    with asking(engine) as connection:
        assert connection.execute(known).scalar() == 2
    engine.dispose()


def test_what_was_recorded_is_there_after_a_restart(ledger_harness: LedgerHarness) -> None:
    first = ledger_harness.open()
    first.record_all([event for story in stories(IDS[:3]) for event in story.events])
    before = of_all(first)
    first.close()
    assert of_all(ledger_harness.open()) == before
